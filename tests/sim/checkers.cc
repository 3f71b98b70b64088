#include "checkers.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "copies.h"

namespace postern::sim {
namespace {

bool is_ours(const std::string& address) {
  return std::ranges::any_of(
      std::initializer_list<const char*>{"@one.example", "@two.example", "@three.example"},
      [&address](const char* domain) { return address.ends_with(domain); });
}

bool has_outcome(const History& history, const std::string& address, Outcome::Kind kind) {
  return std::ranges::any_of(history.outcomes, [&](const Outcome& outcome) {
    return outcome.kind == kind && outcome.recipient == address;
  });
}

/// The gateway gave it up, and whoever could be told of it is not to be told; or it lies there for
/// the administrator, or the report on it does.
bool ended_in_silence(const History& history, const Mail& mail, const SentRecipient& recipient) {
  if (mail.reverse_path.empty()) return history.is_dead_letter(mail, recipient.address);
  if (!has_outcome(history, recipient.address, Outcome::Kind::bounced)) return false;
  return !recipient.notify.wants_failure() ||
         history.report_is_dead_letter(mail, recipient.address, "failed");
}

// What the gateway's log says of a recipient of a queued message at last.
void check_end(const History& history, const Outcome& last, Findings& out) {
  const auto wrong = [&](std::string_view why) {
    out.push_back(fmt::format("{} for {} from <{}>: {}", last.id, last.recipient, last.from, why));
  };
  if (last.kind == Outcome::Kind::bounced && last.from.empty())
    wrong("given up, and nobody hears of it");
  if (last.kind == Outcome::Kind::dead && !last.from.empty())
    wrong("a dead letter although it has a sender");
  const Mail* mail = history.mail_of(last.recipient);
  if (mail != nullptr && mail->removed) return;
  const bool kept = std::ranges::any_of(history.dead_letters, [&](const DeadLetter& letter) {
    return letter.id == last.id && letter.recipient == last.recipient;
  });
  const bool crashed_since =
      std::ranges::any_of(history.crashes, [&](SteadyTime crash) { return crash >= last.at; });
  if (kept && crashed_since && history.taken_up_in_doubt.contains(last.id)) return;
  // Its client was told 451, or nothing: a commit that failed was there after one crash and is gone
  // after the next. The client has the message and sends it again.
  const bool is_report = mail != nullptr && mail->reverse_path == last.recipient;
  if (!kept && crashed_since && !is_report && !history.accepted_ids.contains(last.id)) return;
  if (kept != (last.kind == Outcome::Kind::dead))
    wrong(kept ? "a dead letter although it did not fail" : "is not among the dead letters");
}

void check_copies(const History& history, const Copies& copies, const char* what, Findings& out) {
  for (const auto& [key, seen] : copies) {
    if (seen.size() < 2) continue;
    const auto& [token, recipient, action] = key;
    std::size_t allowed = 1;
    for (const Copy& copy : seen) allowed += excuse_of(history, copy).empty() ? 0 : 1;
    if (const auto mail = history.mails.find(token); mail != history.mails.end()) {
      // The upstream sent it again, as it had heard nothing; or a commit that failed is there after
      // a crash all the same.
      allowed += mail->second.unclear;
      if (history.store_failures > 0 && !history.crashes.empty())
        allowed += mail->second.deferred_content;
    }
    if (seen.size() > allowed)
      out.push_back(fmt::format("{} {} for {} {} came {} times, at most {} are excused", what,
                                token, recipient, action, seen.size(), allowed));
  }
}

/// What the ledger says of one recipient.
struct Recorded {
  std::uint64_t attempts = 0;
  bool recovered = false;
};

/// For so long a ledger does not think that a delivery has ended, whoever tries.
constexpr Duration surely_the_same_delivery = std::chrono::hours(1);

/// What is wrong with it; `begin`: since when the ledger has anything; `in_doubt`: the mail may
/// have been taken although its client did not hear so.
std::string fault_of(const History& history, const SentRecipient& recipient, bool in_doubt,
                     SteadyTime begin, const Recorded& recorded) {
  const auto since = [begin](const std::vector<SteadyTime>& times) {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(times, [begin](SteadyTime at) { return at > begin; }));
  };
  const std::uint64_t deferred = since(recipient.deferred);
  if (recorded.attempts > since(recipient.asked))
    return fmt::format("{} attempts, only {} were made", recorded.attempts, since(recipient.asked));
  if (deferred > 0 && recorded.attempts == 0)
    return fmt::format("nothing, although it was refused for now {} times", deferred);
  const bool taken = recipient.fate == Fate::acknowledged;
  if (recorded.recovered && !taken && !in_doubt) return "recovered, and it was not taken";
  // The ledger's times are those of the wall clock.
  const bool times_are_right =
      history.clock_forward == Duration::zero() && history.clock_back == Duration::zero();
  const bool soon =
      deferred > 0 && recipient.acknowledged - recipient.deferred.back() < surely_the_same_delivery;
  if (taken && soon && times_are_right && !recorded.recovered)
    return "not recovered, although it was taken";
  return {};
}

}  // namespace

Findings lost(const History& history) {
  Findings out;
  const Copies arrivals = arrivals_of(history);
  const Copies reports = reports_of(history);
  for (const auto& [token, mail] : history.mails) {
    if (mail.removed) continue;
    for (const SentRecipient& recipient : mail.recipients) {
      if (recipient.fate != Fate::acknowledged) continue;
      if (arrivals.contains({token, recipient.address, ""}) ||
          reports.contains({token, recipient.address, "failed"}) ||
          ended_in_silence(history, mail, recipient))
        continue;
      const bool given_up = has_outcome(history, recipient.address, Outcome::Kind::bounced);
      out.push_back(fmt::format("lost: {} for {} from <{}>{}", token, recipient.address,
                                mail.reverse_path, given_up ? ": no report came" : ""));
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

Findings dropped(const History& history) {
  Findings out;
  std::map<std::pair<std::string, std::string>, const Outcome*> last;
  for (const Outcome& outcome : history.outcomes) last[{outcome.id, outcome.recipient}] = &outcome;
  for (const auto& [of, outcome] : last) check_end(history, *outcome, out);
  for (const DeadLetter& letter : history.dead_letters) {
    const Mail* mail = history.mail_of(letter.recipient);
    const auto wrong = [&](std::string_view why) {
      out.push_back(fmt::format("dead letter {} for {}: {}", letter.id, letter.recipient, why));
    };
    if (!letter.reverse_path.empty()) wrong("has a sender");
    if (!last.contains({letter.id, letter.recipient})) wrong("the log does not say that it failed");
    if (mail == nullptr) {
      wrong("nobody sent it");
      continue;
    }
    const bool is_report = letter.recipient == mail->reverse_path;
    if (is_report && letter.reported.empty()) wrong("is not the report that it was");
    // A report whose original could not be read returns none of it.
    const bool unread = is_report && letter.token.empty() && history.store_failures > 0;
    if (letter.token != mail->token && !unread) wrong("has another's content");
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

Findings misrecorded(const History& history) {
  if (!history.stopped) return {};  // and so it was not read
  Findings out;
  const auto wrong = [&out](const std::string& sender, const std::string& recipient,
                            std::string_view why) {
    out.push_back(fmt::format("the ledger, <{}> to {}: {}", sender, recipient, why));
  };
  const SteadyTime begin = history.crashes.empty() ? SteadyTime::min() : history.crashes.back();
  std::map<std::string, Recorded> recorded;
  for (const Deferral& deferral : history.deferrals) {
    if (deferral.sender == silent_sender) continue;
    const Mail* mail = history.mail_of(deferral.recipient);
    if (mail == nullptr || find(*mail, deferral.recipient) == nullptr ||
        mail->reverse_path != deferral.sender) {
      wrong(deferral.sender, deferral.recipient, "nobody sent it");
      continue;
    }
    recorded[deferral.recipient].attempts += deferral.attempts;
    recorded[deferral.recipient].recovered |= deferral.recovered;
  }
  for (const auto& [token, mail] : history.mails)
    for (const SentRecipient& recipient : mail.recipients)
      if (const std::string fault =
              fault_of(history, recipient, mail.unclear > 0, begin, recorded[recipient.address]);
          !fault.empty())
        wrong(mail.reverse_path, recipient.address, fault);
  return out;
}

Findings exceeded(const History& history) {
  Findings out;
  const Promises& promises = history.promises;
  for (const auto& [host, most] : history.connections_most)
    if (most > promises.connections_max)
      out.push_back(fmt::format("{} connections at once to {}, {} are the limit", most, host,
                                promises.connections_max));
  for (const Duration session : history.silent_sessions)
    if (session > promises.silent_session_max)
      out.push_back(fmt::format("a silent client's session lasted {}", format_duration(session)));
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
  for (auto* check : {lost, dropped, repeated, reported_wrongly, dsn_neglected, admitted_wrongly,
                      misrecorded, ill_timed, exceeded, left_over}) {
    Findings found = check(history);
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

std::map<std::string, std::uint64_t> sums_of(const History& history) {
  std::map<std::string, std::uint64_t> sums;
  sums["messages sent"] = history.mails.size();
  sums["copies taken by next hops"] = history.arrivals.size();
  sums["reports taken by the sender"] = history.reports.size();
  sums["crashes"] = history.crashes.size();
  sums["events"] = history.events;
  if (!history.dead_letters.empty())
    sums["dead letters (recipients)"] = history.dead_letters.size();
  for (const Deferral& deferral : history.deferrals)
    ++sums[deferral.recovered ? "refused for now and taken later, in the ledger"
                              : "refused for now, in the ledger"];
  sums["messages changed by the administrator"] = history.commands;
  for (const Outcome& outcome : history.outcomes) {
    if (outcome.kind == Outcome::Kind::bounced) ++sums["recipients given up"];
    if (outcome.kind == Outcome::Kind::deferred) ++sums["recipients deferred"];
  }
  for (const Report& report : history.reports)
    for (const ReportedRecipient& recipient : report.recipients)
      ++sums["reported " + recipient.action + (recipient.status == "4.4.7" ? " (expired)" : "")];
  for (const Copies& copies : {arrivals_of(history), reports_of(history)}) {
    for (const auto& [key, seen] : copies) {
      for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
        const std::string excuse = excuse_of(history, seen[i]);
        ++sums["second copies: " + (excuse.empty() ? "the upstream sent it twice" : excuse)];
      }
    }
  }
  return sums;
}

}  // namespace postern::sim
