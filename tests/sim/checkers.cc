#include "checkers.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace postern::sim {
namespace {

/// One message for one recipient.
using Copy = std::pair<std::string, std::string>;

bool is_ours(const std::string& address) {
  return address.ends_with("@one.example") || address.ends_with("@two.example");
}
bool is_gone(const std::string& address) {
  return address.starts_with("gone");
}

struct Seen {
  std::uint32_t copies = 0;
  std::uint32_t unread = 0;  ///< of them, those whose reply the gateway may not have read
  void add(bool reply_was_read) {
    ++copies;
    unread += reply_was_read ? 0 : 1;
  }
};

std::map<Copy, Seen> arrivals_of(const History& history) {
  std::map<Copy, Seen> out;
  for (const Arrival& arrival : history.arrivals)
    out[{arrival.token, arrival.recipient}].add(arrival.reply_was_read);
  return out;
}

std::map<Copy, Seen> reports_of(const History& history) {
  std::map<Copy, Seen> out;
  for (const Report& report : history.reports)
    for (const std::string& recipient : report.final_recipients)
      out[{report.token, recipient}].add(report.reply_was_read);
  return out;
}

const SentRecipient* find(const Mail& mail, const std::string& address) {
  const auto at = std::ranges::find(mail.recipients, address, &SentRecipient::address);
  return at == mail.recipients.end() ? nullptr : &*at;
}

bool is_refused_for_good(const Mail& mail, const SentRecipient& recipient) {
  return mail.unwanted || is_gone(recipient.address);
}

/// Why more copies than one may be there; each reason allows one more.
std::uint32_t excuses(const History& history, const Mail& mail, const Seen& seen) {
  std::uint32_t count = mail.unclear + seen.unread + history.crashes + history.outcomes_unrecorded;
  // A commit that failed may be there after a crash all the same.
  if (history.store_failures > 0 && history.crashes > 0) count += mail.deferred_content;
  return count;
}

void check_copies(const History& history, const std::map<Copy, Seen>& copies, const char* what,
                  Findings& out) {
  for (const auto& [copy, seen] : copies) {
    const auto mail = history.mails.find(copy.first);
    const std::uint32_t allowed =
        1 + (mail == history.mails.end() ? 0 : excuses(history, mail->second, seen));
    if (seen.copies > allowed)
      out.push_back(fmt::format("{} {} for {} came {} times, at most {} are excused", what,
                                copy.first, copy.second, seen.copies, allowed));
  }
}

}  // namespace

Findings lost(const History& history) {
  Findings out;
  const auto arrivals = arrivals_of(history);
  const auto reports = reports_of(history);
  for (const auto& [token, mail] : history.mails) {
    for (const SentRecipient& recipient : mail.recipients) {
      if (recipient.fate != Fate::acknowledged) continue;
      const Copy copy{token, recipient.address};
      if (arrivals.contains(copy) || reports.contains(copy)) continue;
      const bool refused = is_refused_for_good(mail, recipient);
      const bool silent = mail.reverse_path.empty() || recipient.notify_never;
      const bool nobody_there = is_gone(mail.reverse_path) && history.reports_refused > 0;
      if (refused && (silent || nobody_there)) continue;
      out.push_back(fmt::format("lost: {} for {} from <{}>{}", token, recipient.address,
                                mail.reverse_path, refused ? ": no report came" : ""));
    }
  }
  return out;
}

Findings repeated(const History& history) {
  Findings out;
  check_copies(history, arrivals_of(history), "repeated:", out);
  check_copies(history, reports_of(history), "repeated: the report on", out);
  return out;
}

Findings reported_wrongly(const History& history) {
  Findings out;
  for (const Report& report : history.reports) {
    const auto wrong = [&out, &report](std::string_view why) {
      out.push_back(fmt::format("report on {} to {}: {}", report.token, report.to, why));
    };
    const auto found = history.mails.find(report.token);
    if (found == history.mails.end()) {
      wrong("about no mail of ours");
      continue;
    }
    const Mail& mail = found->second;
    if (mail.reverse_path.empty()) wrong("the mail had the null reverse path");
    if (report.to != mail.reverse_path) wrong("not the reverse path " + mail.reverse_path);
    if (report.final_recipients.empty()) wrong("about no recipient");
    for (const std::string& address : report.final_recipients) {
      const SentRecipient* recipient = find(mail, address);
      if (recipient == nullptr) {
        wrong("about somebody else: " + address);
        continue;
      }
      if (recipient->notify_never) wrong("NOTIFY=NEVER was asked for " + address);
      if (!is_refused_for_good(mail, *recipient)) wrong("nobody refused it for " + address);
      const bool in_doubt = mail.unclear > 0 || mail.deferred_content > 0;
      if (recipient->fate != Fate::acknowledged && !in_doubt)
        wrong("it was never taken for " + address);
    }
  }
  return out;
}

Findings admitted_wrongly(const History& history) {
  Findings out;
  for (const Arrival& arrival : history.arrivals) {
    const auto found = history.mails.find(arrival.token);
    const auto wrong = [&out, &arrival](std::string_view why) {
      out.push_back(fmt::format("{} came to {} for {}: {}", arrival.token, arrival.host,
                                arrival.recipient, why));
    };
    if (!is_ours(arrival.recipient)) wrong("relayed to a domain that is not ours");
    if (found == history.mails.end()) {
      wrong("nobody sent it");
      continue;
    }
    const Mail& mail = found->second;
    const SentRecipient* recipient = find(mail, arrival.recipient);
    if (!is_welcome(mail.client)) wrong("its client was to be refused");
    if (recipient == nullptr) wrong("not a recipient of it");
    if (arrival.reverse_path != mail.reverse_path)
      wrong("with the reverse path of another: " + arrival.reverse_path);
    const bool in_doubt = mail.unclear > 0 || mail.deferred_content > 0;
    if (recipient != nullptr && recipient->fate != Fate::acknowledged && !in_doubt)
      wrong("its client was not told that it was taken");
  }
  for (const auto& [token, mail] : history.mails)
    for (const SentRecipient& recipient : mail.recipients)
      if (recipient.fate == Fate::acknowledged &&
          (!is_welcome(mail.client) || !is_ours(recipient.address)))
        out.push_back(fmt::format("taken, and not to be: {} for {}", token, recipient.address));
  for (const PermanentReply& reply : history.permanent_replies) {
    const bool rightly =
        !reply.recipient.empty() && (!is_ours(reply.recipient) || !is_welcome(reply.client));
    if (!rightly)
      out.push_back(fmt::format("refused for good without a reason: {} {}: {}", reply.token,
                                reply.recipient, reply.reply));
  }
  return out;
}

Findings exceeded(const History& history) {
  Findings out;
  for (const auto& [host, most] : history.connections_most)
    if (most > history.connections_max)
      out.push_back(fmt::format("{} connections at once to {}, {} are the limit", most, host,
                                history.connections_max));
  return out;
}

Findings left_over(const History& history) {
  Findings out = history.oddities;
  if (!history.healed) out.emplace_back("not everything was over in time after the faults");
  if (!history.stopped) out.emplace_back("the server did not stop in its deadline");
  if (history.connections_left > 0)
    out.push_back(fmt::format("{} sessions did not end", history.connections_left));
  if (history.messages_left > 0)
    out.push_back(fmt::format("{} messages are still queued", history.messages_left));
  if (history.leases_left > 0)
    out.push_back(fmt::format("{} leases are still held", history.leases_left));
  if (history.records_damaged > 0)
    out.push_back(fmt::format("{} records were damaged", history.records_damaged));
  for (const auto& [token, mail] : history.mails)
    for (const SentRecipient& recipient : mail.recipients)
      if (recipient.fate == Fate::open)
        out.push_back(fmt::format("{} was never taken for {}", token, recipient.address));
  return out;
}

Findings everything_wrong_with(const History& history) {
  Findings out;
  for (auto* check : {lost, repeated, reported_wrongly, admitted_wrongly, exceeded, left_over}) {
    Findings found = check(history);
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace postern::sim
