// What must hold of times.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <vector>

#include "checkers.h"
#include "copies.h"

namespace postern::sim {
namespace {

/// What an attempt may take on its way: lookups, a host that does not answer, others before it.
constexpr Duration slack = std::chrono::minutes(10);

using Attempts = std::map<std::string, std::vector<Attempt>>;

Attempts attempts_of(const History& history) {
  Attempts out;
  for (const Attempt& attempt : history.attempts) out[attempt.recipient].push_back(attempt);
  return out;
}

Duration pause_after(const Promises& promises, std::size_t attempts) {
  return promises.retry[std::min(attempts, promises.retry.size() - 1)];
}

bool deferred(const Attempt& attempt) {
  // 452: fewer recipients are taken at once than were offered; the rest follows without a pause.
  return attempt.settled && attempt.code / 100 == 4 && attempt.code != 452;
}

bool wants_delay_told(const Mail& mail, const SentRecipient& sent) {
  return (!sent.notify.specified || sent.notify.delay) && !mail.reverse_path.empty();
}

// What ends a pause of the list sooner: one attempt when its delay is to be told, and the last one.
bool is_cut_short(const History& history, const Attempt& before, const Attempt& after) {
  const Mail* mail = history.mail_of(before.recipient);
  const SentRecipient* sent = mail == nullptr ? nullptr : find(*mail, before.recipient);
  if (sent == nullptr) return false;
  const Promises& promises = history.promises;
  const auto lies_between = [&](Duration due) {
    return before.at < later(sent->acknowledged, due) && after.at >= later(mail->first_sent, due);
  };
  const Duration notice = promises.delay_notice;
  return lies_between(mail->reverse_path.empty() ? promises.report_lifetime : promises.lifetime) ||
         (notice != Duration::zero() && wants_delay_told(*mail, *sent) && lies_between(notice));
}

// Refused for now, and read: the next attempt comes after the pause of the list.
void check_pauses(const History& history, const std::string& recipient,
                  const std::vector<Attempt>& attempts, Findings& out) {
  // Attempts that failed before RCPT make the next pause longer than the list's first.
  const bool every_attempt_seen = !history.faults;
  std::size_t counted = 0;
  for (std::size_t i = 0; i + 1 < attempts.size(); ++i) {
    if (!deferred(attempts[i])) continue;
    const Duration pause = pause_after(history.promises, counted++);
    const Duration taken = attempts[i + 1].at - attempts[i].at;
    if (taken < pause && !is_cut_short(history, attempts[i], attempts[i + 1]))
      out.push_back(fmt::format("attempt {} for {} came {} after the one before; the list says {}",
                                i + 2, recipient, format_duration(taken), format_duration(pause)));
    if (every_attempt_seen && taken > pause + slack)
      out.push_back(fmt::format("attempt {} for {} came only {} after the one before", i + 2,
                                recipient, format_duration(taken)));
  }
}

/// When the gateway was through with a recipient: the last that its log says.
SteadyTime over_at(const History& history, const std::string& recipient) {
  SteadyTime over = SteadyTime::max();
  for (const Outcome& outcome : history.outcomes)
    if (outcome.recipient == recipient && outcome.kind != Outcome::Kind::deferred)
      over = outcome.at;
  return over;
}

const std::string& host_of(const std::string& address) {
  static const std::map<std::string, std::string> hosts = {{"one.example", "mx.one.example"},
                                                           {"two.example", "mx.two.example"},
                                                           {"three.example", "mx.three.example"}};
  static const std::string none;
  const auto host = hosts.find(address.substr(address.find('@') + 1));
  return host == hosts.end() ? none : host->second;
}

// A next hop that was away is tried again within the longest pause of the list.
void check_return(const History& history, const Mail& mail, const SentRecipient& sent,
                  const std::vector<Attempt>& attempts, Findings& out) {
  const auto outages = history.outages.find(host_of(sent.address));
  if (outages == history.outages.end() || sent.fate != Fate::acknowledged || mail.removed) return;
  const Duration wait = *std::ranges::max_element(history.promises.retry) * 11 / 10 + slack;
  const SteadyTime over = over_at(history, sent.address);
  for (const Span& span : outages->second) {
    const SteadyTime until = later(span.end, wait);
    const bool undisturbed = std::ranges::none_of(outages->second, [&](const Span& other) {
      return other.begin > span.begin && other.begin <= until;
    });
    if (!undisturbed || sent.acknowledged >= span.end || over <= until) continue;
    if (std::ranges::none_of(attempts, [&](const Attempt& attempt) {
          return attempt.at >= span.end && attempt.at <= until;
        }))
      out.push_back(fmt::format("{} was back, and nobody came within {} for {}", outages->first,
                                format_duration(wait), sent.address));
  }
}

// RFC 5321 section 4.5.4.1: not given up before the lifetime's end; and soon after it.
void check_lifetime(const History& history, const Mail& mail, const SentRecipient& sent,
                    Findings& out) {
  const Promises& promises = history.promises;
  const Duration lifetime =
      mail.reverse_path.empty() ? promises.report_lifetime : promises.lifetime;
  const SteadyTime earliest = later(mail.first_sent, lifetime - history.clock_forward);
  const bool refused = mail.unwanted || is_gone(sent.address) || mail.sent_back;
  for (const Outcome& outcome : history.outcomes) {
    if (outcome.recipient != sent.address) continue;
    const bool given_up =
        outcome.kind == Outcome::Kind::bounced || outcome.kind == Outcome::Kind::dead;
    if (given_up && !refused && outcome.at < earliest)
      out.push_back(
          fmt::format("{} was given up for {} after {}", mail.token, sent.address,
                      format_duration(outcome.at - std::min(mail.first_sent, outcome.at))));
    if (promises.exact_retries && sent.fate == Fate::acknowledged &&
        outcome.at > sent.acknowledged + lifetime + slack)
      out.push_back(fmt::format("{} was still tried for {} after {}", mail.token, sent.address,
                                format_duration(outcome.at - sent.acknowledged)));
  }
}

// Whoever waits for longer than the notice's time and wants to hear of it is told.
void check_delay_told(const History& history, const Mail& mail, const SentRecipient& sent,
                      Findings& out) {
  const Promises& promises = history.promises;
  if (promises.delay_notice == Duration::zero() || !promises.exact_retries ||
      !wants_delay_told(mail, sent) || sent.fate != Fate::acknowledged ||
      promises.delay_notice >= promises.lifetime)
    return;
  if (over_at(history, sent.address) <= sent.acknowledged + promises.delay_notice + slack) return;
  for (const Report& report : history.reports)
    for (const ReportedRecipient& said : report.recipients)
      if (said.action == "delayed" && said.final_recipient == sent.address) return;
  if (history.report_is_dead_letter(mail, sent.address, "delayed")) return;
  out.push_back(fmt::format("the delay of {} for {} was not told", mail.token, sent.address));
}

}  // namespace

Findings ill_timed(const History& history) {
  Findings out;
  const Attempts attempts = attempts_of(history);
  if (history.promises.exact_retries)
    for (const auto& [recipient, of] : attempts)
      if (!host_of(recipient).empty()) check_pauses(history, recipient, of, out);
  for (const auto& [token, mail] : history.mails) {
    for (const SentRecipient& sent : mail.recipients) {
      check_lifetime(history, mail, sent, out);
      check_delay_told(history, mail, sent, out);
      // Who is refused before RCPT came as well, and is not seen here.
      if (!history.promises.exact_retries || history.promises.busy_next_hops) continue;
      const auto of = attempts.find(sent.address);
      check_return(history, mail, sent, of == attempts.end() ? std::vector<Attempt>() : of->second,
                   out);
    }
  }
  return out;
}

}  // namespace postern::sim
