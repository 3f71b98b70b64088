#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "app/exemption.h"
#include "app/explain_case.h"
#include "app/ledger_text.h"
#include "app/time_text.h"
#include "base/text.h"
#include "ledger/lookups_json.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using ledger::Effect;
using ledger::Outcome;

std::string shown(const std::string& address) {
  return address.empty() ? "<>" : printable(address);
}

/// From whom to whom; a client may be answered before it names either.
std::string way_text(const ledger::Refusal& refusal) {
  if (!refusal.recipient.empty())
    return fmt::format("{} -> {}", shown(refusal.sender), shown(refusal.recipient));
  return refusal.sender.empty() ? "before it named a sender"
                                : fmt::format("{}, before a recipient", shown(refusal.sender));
}

/// " (breaker open)": why it was not enforced.
std::string observed_text(const ledger::Refusal& refusal) {
  return refusal.observed_because.empty()
             ? std::string()
             : fmt::format(" ({})", printable(refusal.observed_because));
}

std::string effect_text(const ledger::Refusal& refusal) {
  switch (refusal.effect) {
    case Effect::refused:
      return "refused";
    case Effect::would_refuse:
      return "accepted, and would have been refused" + observed_text(refusal);
    case Effect::excused:
      if (!refusal.override_name.empty())
        return fmt::format("accepted by the override {}", printable(refusal.override_name));
      return refusal.action == "tag" ? "accepted, with a tag" : "accepted";
  }
  return {};
}

std::string head(const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  const WallTime time = recorded.answer.time;
  std::string text = fmt::format("Case {} of {} UTC, {}\n", printable(recorded.case_id),
                                 second_text(time), time_since(time, recorded.now));
  for (const WallTime other : recorded.same_id)
    text += fmt::format("(an older case of {} UTC had the same id)\n", second_text(other));
  text += fmt::format("\nClient {}{}{}\n", told.client.text(),
                      greeting_text(recorded.answer.greeting, told.helo),
                      via_text(recorded.answer.via));
  for (const CaseRecipient& recipient : recorded.recipients)
    text += fmt::format("  {}: {}\n", way_text(recipient.recorded.refusal),
                        effect_text(recipient.recorded.refusal));
  if (recorded.recipients_left_out > 0)
    text += fmt::format("  and {} recipients more\n", recorded.recipients_left_out);
  return text;
}

std::string lookups_then(const RecordedCase& recorded) {
  if (!recorded.looked_up) return "\nLookups: not kept any more\n";
  return fmt::format("\nLookups of {} UTC ({:.3f} s):\n{}", second_text(*recorded.looked_up),
                     std::chrono::duration<double>(recorded.told.iprev.took).count(),
                     lookups_text(recorded.told.iprev));
}

std::string rule_path(const RecordedCase& recorded) {
  const ledger::Refusal& refusal = recorded.answer;
  std::string because = fmt::format("[unknown_ip.actions] {}", printable(refusal.state));
  if (refusal.escalated) because = "[unknown_ip.escalation], after " + because;
  if (!refusal.override_name.empty())
    because = fmt::format("[[unknown_ip.override]] {}", printable(refusal.override_name));
  const bool observed = refusal.effect == Effect::would_refuse;
  return fmt::format("\nState: {}\nAction: {} ({}){}\n", printable(refusal.state),
                     printable(refusal.action), because,
                     observed ? ", only recorded" + observed_text(refusal) : std::string());
}

std::string answer_text(const RecordedCase& recorded) {
  const ledger::Refusal& refusal = recorded.answer;
  if (refusal.reply.empty()) return {};
  return fmt::format("\n{}, {:.3f} s after it connected:\n    {}\n",
                     refusal.effect == Effect::refused ? "It read" : "It would have read",
                     std::chrono::duration<double>(refusal.latency).count(),
                     printable(refusal.reply, 512));
}

/// What became of the mail to each recipient whose deferral is known.
std::string outcomes(const RecordedCase& recorded) {
  std::string text;
  for (const CaseRecipient& recipient : recorded.recipients)
    if (recipient.deferral)
      text +=
          fmt::format("  {} -> {}, deferral {}\n", shown(recipient.recorded.refusal.sender),
                      shown(recipient.recorded.refusal.recipient), recipient.deferral->id) +
          indented(outcome_text(recipient.deferral->deferral, *recipient.assessment, recorded.now));
  return text.empty() ? text : "\nWhat became of it:\n" + text;
}

std::string server_line(const upstream::Candidate& candidate, const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  const upstream::Profile& profile = *candidate.profile;
  upstream::Forecast forecast =
      upstream::forecast(told.first_attempt, told.last_attempt, told.attempts, profile);
  if (recorded.given_up) forecast.end_by(*recorded.given_up);
  std::string text = fmt::format("  {}", profile.product);
  if (told.upstreams.size() > 1) text += fmt::format(" ({:.0f} %)", candidate.probability * 100);
  if (!forecast.first_sign) return text + ": nobody is told\n";
  const auto about = [&recorded](WallTime time) {
    return fmt::format("about {} UTC ({})", minute_text(time), time_from(time, recorded.now));
  };
  text += ": ";
  if (*forecast.first_sign < forecast.gives_up)
    text += fmt::format("tells of the delay {}; ", about(*forecast.first_sign));
  return text + fmt::format("reports {}, {} our reply\n", about(forecast.gives_up),
                            profile.quotes_reply ? "and quotes" : "without");
}

std::string who_is_told(const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  if (recorded.answer.effect != Effect::refused)
    return "\nNobody is told of anything: the mail was accepted.\n";
  if (told.sender.empty() && !told.recipient.empty())
    return "\nThe mail is a report itself (its sender is <>): nobody is told that it was not "
           "delivered.\n";
  if (recorded.accepted) return "\nNobody is told of a failure: the mail was accepted later.\n";
  std::string text = fmt::format(
      "\n{} is told by its own server, not by Postern, which never took the mail. {} that is\n",
      told.sender.empty() ? "The sender" : shown(told.sender),
      told.upstreams.size() == 1 ? "You say"
      : told.attempts == 1       ? "By its name and its one attempt"
                                 : fmt::format("By its name and its {} attempts", told.attempts));
  if (refused_for_good(told)) return text + servers_text(told) + report_text(told);
  for (const upstream::Candidate& candidate : told.upstreams)
    text += server_line(candidate, recorded);
  return text + report_text(told);
}

std::string lookups_today(const CheckedClient& today) {
  const Explanation& told = today.told;
  std::string text = fmt::format("\nToday: {}, {}\n", policy::state_name(told.state),
                                 told.reply.empty() ? "accepted" : "refused: " + told.reply);
  if (told.state == policy::UnknownIpState::skipped) return text;
  return text + lookups_text(told.iprev);
}

std::string exemption_of(const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  return exemption(told.client, domain_of(told.sender),
                   fmt::format("case {}: {}", recorded.case_id, cause_of(told.state, told.iprev)),
                   told.answered_at);
}

/// The override that says the refusal; empty: none does.
std::string_view refused_by(const ledger::Refusal& refusal) {
  return refusal.effect == Effect::excused ? std::string_view() : refusal.override_name;
}

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::refused:
      return "refused";
    case Effect::would_refuse:
      return "would_refuse";
    case Effect::excused:
      return "excused";
  }
  return "";
}

/// What decided.
void add_rule(const ledger::Refusal& refusal, object& out) {
  out["override"] = printable(refusal.override_name);
  out["observed_because"] = printable(refusal.observed_because);
  out["escalated"] = refusal.escalated;
}

object recipient_json(const CaseRecipient& recipient) {
  const ledger::Refusal& refusal = recipient.recorded.refusal;
  object out{{"time", format_iso8601(refusal.time)}, {"from", printable(refusal.sender)},
             {"to", printable(refusal.recipient)},   {"effect", effect_name(refusal.effect)},
             {"action", printable(refusal.action)},  {"reply", printable(refusal.reply, 512)}};
  add_rule(refusal, out);
  if (recipient.deferral)
    out["deferral"] =
        deferral_json(recipient.deferral->id, recipient.deferral->deferral, *recipient.assessment);
  return out;
}

}  // namespace

std::string case_text(const RecordedCase& recorded) {
  std::string text = head(recorded) + lookups_then(recorded);
  if (recorded.today) text += lookups_today(*recorded.today);
  text += rule_path(recorded) + answer_text(recorded) + outcomes(recorded) + who_is_told(recorded) +
          remedy_text(recorded.told.remedy);
  if (const std::string_view rule = refused_by(recorded.answer); !rule.empty())
    return text + fmt::format("\nTo let such mail in, change the override {}.\n", printable(rule));
  return text + "\nTo let such mail in, in the configuration:\n\n" +
         indented(exemption_of(recorded));
}

object case_json(const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  const ledger::Refusal& refusal = recorded.answer;
  array recipients;
  for (const CaseRecipient& recipient : recorded.recipients)
    recipients.push_back(recipient_json(recipient));
  array same_id;
  for (const WallTime time : recorded.same_id) same_id.emplace_back(format_iso8601(time));
  object out{{"case", printable(recorded.case_id)},
             {"time", format_iso8601(refusal.time)},
             {"client", told.client.text()},
             {"greeting", upstream::greeting_name(refusal.greeting)},
             {"helo", printable(told.helo)},
             {"via", via_json(refusal.via)},
             {"state", printable(refusal.state)},
             {"action", printable(refusal.action)},
             {"effect", effect_name(refusal.effect)},
             {"reply", printable(refusal.reply, 512)},
             {"latency_ms", std::chrono::floor<std::chrono::milliseconds>(refusal.latency).count()},
             {"recipients", std::move(recipients)},
             {"recipients_left_out", recorded.recipients_left_out},
             {"older_cases", std::move(same_id)}};
  add_rule(refusal, out);
  if (recorded.looked_up) {
    out["looked_up"] = format_iso8601(*recorded.looked_up);
    for (auto& member : ledger::lookups_json(told.iprev)) out.insert(std::move(member));
  }
  if (refusal.effect == Effect::refused) out["upstreams"] = upstreams_json(told);
  out["publish"] = strings_json(told.remedy.records);
  out["advice"] = strings_json(told.remedy.advice);
  if (refused_by(refusal).empty()) out["exempt"] = exemption_of(recorded);
  if (recorded.today) out["today"] = client_json(*recorded.today);
  return out;
}

Result<std::string> case_letter(const RecordedCase& recorded) {
  const Explanation& told = recorded.told;
  const ledger::Refusal& answer = recorded.answer;
  if (answer.effect == Effect::excused || told.reply.empty())
    return operator_failure(
        Cause::other,
        fmt::format("the mail of case {} was {}: there is nothing to write to anybody "
                    "about",
                    printable(recorded.case_id), effect_text(answer)));
  const std::string called =
      told.helo.empty() ? std::string() : "\n(it calls itself " + printable(told.helo) + ")";
  const Enforced enforced = answer.effect == Effect::refused ? Enforced::yes : Enforced::not_yet;
  return letter(
      told, enforced, recorded.now,
      fmt::format("On {} your mail server with the address\n{}{} {} us mail from\n{}.\n",
                  format_rfc5322(answer.time), told.client.text(), called,
                  enforced == Enforced::yes ? "wanted to send" : "sent", shown(told.sender)));
}

}  // namespace postern::app
