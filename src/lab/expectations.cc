#include "lab/expectations.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "lab/product_report.h"

namespace postern::lab {
namespace {

/// What the network and the servers take themselves, of one attempt.
constexpr Duration tolerance = std::chrono::minutes(1);

std::vector<Duration> times_of(const Flow& flow, const Account& account,
                               const Expectation& expectation) {
  std::vector<Duration> times;
  if (expectation.kind == Expectation::Kind::refused)
    for (const Attempt& attempt : flow.history().attempts)
      for (const AttemptRecipient& recipient : attempt.recipients)
        if (recipient.reply.starts_with(expectation.reply) &&
            (expectation.by.empty() || attempt.to_host == expectation.by) &&
            (expectation.from_server.empty() || attempt.from_host == expectation.from_server))
          times.push_back(attempt.decided);
  if (expectation.kind == Expectation::Kind::report)
    for (const ReportAccount& report : account.reports)
      if (report.kind == expectation.report && equal_ignoring_case(report.to, expectation.to) &&
          (expectation.by.empty() || report.by == expectation.by) &&
          (!expectation.quotes_reply || report.quotes_reply == *expectation.quotes_reply))
        times.push_back(report.at);
  if (expectation.kind == Expectation::Kind::delivered)
    for (const KeptLetter& letter : flow.history().letters)
      if (!letter.reverse_path.empty() && equal_ignoring_case(letter.recipient, expectation.to))
        times.push_back(letter.at);
  return times;
}

std::string what_of(const Flow& flow, const Expectation& expectation) {
  std::string what;
  if (expectation.kind == Expectation::Kind::refused)
    what = fmt::format("a refusal \"{}\"", expectation.reply);
  if (expectation.kind == Expectation::Kind::report)
    what = fmt::format("a report of {} to {}", expectation.report, expectation.to);
  if (expectation.kind == Expectation::Kind::delivered) what = "a letter to " + expectation.to;
  if (!expectation.by.empty()) what += " by " + name_of_host(flow.scenario(), expectation.by);
  if (!expectation.from_server.empty())
    what += " of " + name_of_host(flow.scenario(), expectation.from_server);
  if (expectation.quotes_reply)
    what += *expectation.quotes_reply ? ", with the reply" : ", without the reply";
  if (expectation.count) what += fmt::format(", {} times", *expectation.count);
  if (expectation.at)
    what += fmt::format(", first at {} or up to {} later", format_since(*expectation.at),
                        format_duration(expectation.within));
  return what;
}

Verdict judge(const Flow& flow, const Account& account, const Expectation& expectation) {
  const std::vector<Duration> times = times_of(flow, account, expectation);
  Verdict verdict{true, what_of(flow, expectation), fmt::format("{} times", times.size())};
  if (!times.empty()) verdict.got += ", first at " + format_since(times.front());
  if (expectation.count)
    verdict.kept = times.size() == *expectation.count;
  else
    verdict.kept = !times.empty();
  if (expectation.at && (times.empty() || times.front() < *expectation.at ||
                         times.front() > *expectation.at + expectation.within + seconds(1)))
    verdict.kept = false;
  return verdict;
}

bool near(Duration got, Duration wanted) {
  // A server counts from when it took the message, we from when the sender knew it.
  return got >= wanted - seconds(1) && got <= wanted + tolerance;
}

/// One message that a server took, and that was answered 4xx whenever it tried to pass it on.
struct Stuck {
  std::string sender;
  std::string recipient;
  Duration arrived{};
};

std::optional<Stuck> stuck_at(const Flow& flow, const std::string& server, const Happening& sent) {
  std::optional<Stuck> stuck;
  std::size_t deferred = 0;
  for (const Attempt& attempt : flow.history().attempts) {
    // Of a connection that came to nothing nobody can say which message it was for.
    if (attempt.from_host == server && !attempt.has_sender) return std::nullopt;
    if (!equal_ignoring_case(attempt.sender, sent.sender)) continue;
    for (const AttemptRecipient& recipient : attempt.recipients) {
      if (!equal_ignoring_case(recipient.address, sent.recipient)) continue;
      if (attempt.to_host == server && recipient.accepted)
        stuck = {sent.sender, sent.recipient, attempt.decided};
      if (attempt.from_host != server) continue;
      if (!recipient.reply.starts_with('4')) return std::nullopt;
      ++deferred;
    }
  }
  return deferred == 0 ? std::nullopt : stuck;
}

// A server that is late waits longer each time, and so tries less often; when it gives up stands.
Verdict judge_late_times(const Flow& flow, const upstream::Profile& profile,
                         const std::string& server, const Stuck& stuck, Duration late_max) {
  const auto got = attempt_times(flow, server, stuck.sender, stuck.recipient);
  const Duration end = stuck.arrived + profile.give_up;
  Verdict verdict{!got.empty() && near(got.back(), end),
                  fmt::format("{} tries until {}, each time up to {} late", profile.product,
                              format_since(profile.give_up), format_duration(late_max)),
                  fmt::format("{} times", got.size())};
  if (!got.empty()) verdict.got += ", the last after " + format_since(got.back() - stuck.arrived);
  for (std::size_t i = 1; i < got.size(); ++i) {
    const Duration wait = got[i] - got[i - 1];
    const Duration wanted = std::min(profile.wait_after(i), end - got[i - 1]);
    if (near(wait, std::clamp(wait, wanted, wanted + late_max))) continue;
    verdict.kept = false;
    verdict.got = fmt::format("attempt {} after a wait of {} instead of {}", i + 1,
                              format_since(wait), format_since(wanted));
    break;
  }
  return verdict;
}

Verdict judge_times(const Flow& flow, const upstream::Profile& profile, const std::string& server,
                    const Stuck& stuck) {
  const Duration late_max = flow.scenario().server(server)->late_max;
  if (late_max != Duration{}) return judge_late_times(flow, profile, server, stuck, late_max);
  const auto wanted = profile.attempts();
  const auto got = attempt_times(flow, server, stuck.sender, stuck.recipient);
  Verdict verdict{got.size() == wanted.size(),
                  fmt::format("{} tries {} times, the last time after {}", profile.product,
                              wanted.size(), format_since(wanted.back())),
                  fmt::format("{} times", got.size())};
  if (!got.empty()) verdict.got += ", the last after " + format_since(got.back() - stuck.arrived);
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
    if (!near(got[i], stuck.arrived + wanted[i])) {
      verdict.kept = false;
      verdict.got = fmt::format("attempt {} after {} instead of {}", i + 1,
                                format_since(got[i] - stuck.arrived), format_since(wanted[i]));
      break;
    }
  return verdict;
}

std::vector<const ReportAccount*> reports_about(const Account& account, const Stuck& stuck,
                                                const std::string& server, std::string_view kind) {
  std::vector<const ReportAccount*> found;
  for (const ReportAccount& report : account.reports)
    if (report.kind == kind && report.by == server &&
        equal_ignoring_case(report.to, stuck.sender) &&
        equal_ignoring_case(report.about, stuck.recipient))
      found.push_back(&report);
  return found;
}

Verdict judge_report(const Flow& flow, const Account& account, const upstream::Profile& profile,
                     const std::string& server, const Stuck& stuck, std::string_view kind) {
  const bool failure = kind == "failure";
  const Duration at = failure ? profile.give_up : profile.delay_notice;
  const bool wanted = profile.reports && (failure || (at != Duration{} && at < profile.give_up));
  const auto reports = reports_about(account, stuck, server, kind);
  if (!wanted)
    return {reports.empty(), fmt::format("{} sends no report of {}", profile.product, kind),
            fmt::format("{} reports", reports.size())};
  const std::string from = product_from(profile, name_of_host(flow.scenario(), server));
  Verdict verdict{false,
                  fmt::format("a report of {} after {} from {}{}", kind, format_since(at), from,
                              profile.quotes_reply ? ", with the reply" : ", without the reply"),
                  fmt::format("{} reports", reports.size())};
  if (reports.size() != 1) return verdict;
  const ReportAccount& report = *reports.front();
  verdict.kept = near(report.at, stuck.arrived + at) && report.from == from &&
                 report.quotes_reply == profile.quotes_reply;
  verdict.got =
      fmt::format("after {} from {}{}", format_since(report.at - stuck.arrived), report.from,
                  report.quotes_reply ? ", with the reply" : ", without the reply");
  return verdict;
}

}  // namespace

std::vector<Duration> attempt_times(const Flow& flow, const std::string& server,
                                    const std::string& sender, const std::string& recipient) {
  std::vector<Duration> times;
  for (const Attempt& attempt : flow.history().attempts) {
    if (attempt.from_host != server || !attempt.has_sender ||
        !equal_ignoring_case(attempt.sender, sender))
      continue;
    const bool ours = std::ranges::any_of(attempt.recipients, [&](const AttemptRecipient& one) {
      return equal_ignoring_case(one.address, recipient);
    });
    if (ours && (times.empty() || attempt.at > times.back() + seconds(15)))
      times.push_back(attempt.at);
  }
  return times;
}

std::vector<Verdict> judge_expectations(const Flow& flow, const Account& account) {
  std::vector<Verdict> verdicts;
  for (const Expectation& expectation : flow.scenario().expectations)
    verdicts.push_back(judge(flow, account, expectation));
  return verdicts;
}

std::vector<Verdict> judge_profile(const Flow& flow, const Account& account,
                                   const upstream::Profile& profile, const std::string& server) {
  std::vector<Verdict> verdicts;
  for (const Happening& sent : flow.history().happenings) {
    if (sent.kind != Happening::Kind::sent) continue;
    const auto stuck = stuck_at(flow, server, sent);
    if (!stuck) continue;
    verdicts.push_back(judge_times(flow, profile, server, *stuck));
    for (const char* kind : {"delay", "failure"})
      verdicts.push_back(judge_report(flow, account, profile, server, *stuck, kind));
  }
  return verdicts;
}

}  // namespace postern::lab
