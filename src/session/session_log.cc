#include "session/session_log.h"

#include <fmt/format.h>

#include "base/text.h"

namespace postern::session {

using policy::AnswerAt;

namespace {

/// Enough for a path and for what people read of a name.
constexpr std::size_t shown_bytes_max = 256;

std::string ptr_names(const policy::UnknownIpVerdict* verdict) {
  std::string names;
  if (verdict == nullptr) return names;
  for (const auto& name : verdict->iprev->names)
    names += (names.empty() ? "" : ",") + printable(name.name, shown_bytes_max);
  return names;
}

/// The null reverse path is empty, so that what is not known yet needs a word.
constexpr std::string_view not_known = "unknown";

std::string_view sender_known(AnswerAt step, std::string_view sender) {
  return step >= AnswerAt::mail ? sender : not_known;
}

std::string_view recipient_known(AnswerAt step, std::string_view recipient) {
  return step == AnswerAt::rcpt ? recipient : not_known;
}

std::string_view dnssec_of(const policy::UnknownIpVerdict* verdict) {
  return verdict == nullptr ? std::string_view()
                            : auth::dnssec_word(auth::iprev_dnssec(*verdict->iprev));
}

void log_decision(Log& log, std::string_view event, const RecipientDecision& decision) {
  const auto write = [&](auto... more) {
    log.line(Severity::info, event,
             {{"client", decision.client.text()},
              {"helo", decision.helo},
              {"sender", sender_known(decision.step, decision.sender)},
              {"recipient", recipient_known(decision.step, decision.recipient)},
              {"state", decision.cause},
              {"reply", decision.reply.text()},
              {"case", decision.case_id},
              {"ptr", ptr_names(decision.verdict)},
              {"dnssec", dnssec_of(decision.verdict)},
              {"at", policy::answer_at_name(decision.step)},
              more...});
  };
  const auto write_with_via = [&](auto... more) {
    if (decision.via)
      write(LogField("via", decision.via->text()), more...);
    else
      write(more...);
  };
  const auto write_with_rule = [&](auto... more) {
    if (decision.rule.empty())
      write_with_via(more...);
    else
      write_with_via(LogField("override", decision.rule), more...);
  };
  const policy::UnknownIpVerdict* verdict = decision.verdict;
  if (verdict != nullptr && !verdict->observed_because.empty())
    write_with_rule(LogField("because", verdict->observed_because));
  else if (verdict != nullptr && verdict->escalated && decision.rule.empty())
    write_with_via(LogField("escalated", true));
  else
    write_with_rule();
}

/// As Postfix names the step.
std::string_view postfix_step(const RecipientDecision& decision) {
  switch (decision.step) {
    case AnswerAt::connect:
      return "CONNECT";
    case AnswerAt::ehlo:
      return decision.protocol.starts_with('E') ? "EHLO" : "HELO";
    case AnswerAt::mail:
      return "MAIL";
    case AnswerAt::rcpt:
      return "RCPT";
  }
  return "RCPT";
}

/// Postfix's sentence ends with the literal; the true cause behind it would keep its log's readers
/// from matching.
std::string_view postfix_sentence(std::string_view text, const IpAddress& client) {
  const std::string end = "cannot find your hostname, [" + client.text() + "]";
  const std::size_t at = text.find(end);
  return at == std::string_view::npos ? text : text.substr(0, at + end.size());
}

}  // namespace

void log_refused(Log& log, const RecipientDecision& decision) {
  log_decision(log, "refused", decision);
}

void log_would_refuse(Log& log, const RecipientDecision& decision) {
  log_decision(log, "would_refuse", decision);
}

void log_excused(Log& log, const Excuse& excuse) {
  log.line(Severity::info, "excused",
           {{"client", excuse.client.text()},
            {"sender", sender_known(excuse.step, excuse.sender)},
            {"recipient", recipient_known(excuse.step, excuse.recipient)},
            {"state", excuse.state},
            {"override", excuse.rule}});
}

void log_recipient_refused(Log& log, const RecipientDecision& decision,
                           const policy::RecipientVerdict& verdict) {
  log.line(Severity::info, "recipient_refused",
           {{"client", decision.client.text()},
            {"helo", decision.helo},
            {"sender", decision.sender},
            {"recipient", decision.recipient},
            {"state", decision.cause},
            {"source", policy::source_name(verdict.source)},
            {"cause", verdict.cause},
            {"reply", decision.reply.text()}});
}

std::string postfix_reject(const RecipientDecision& decision) {
  const bool confirmed =
      decision.verdict != nullptr && decision.verdict->state == policy::UnknownIpState::pass;
  const std::string name = confirmed ? decision.verdict->iprev->confirmed_name : "unknown";
  const std::string reply = decision.reply.text();
  std::string line = fmt::format("NOQUEUE: reject: {} from {}[{}]: {};", postfix_step(decision),
                                 printable(name, shown_bytes_max), decision.client.text(),
                                 postfix_sentence(reply, decision.client));
  if (decision.step >= AnswerAt::mail)
    line += fmt::format(" from=<{}>", printable(decision.sender, shown_bytes_max));
  if (decision.step == AnswerAt::rcpt)
    line += fmt::format(" to=<{}>", printable(decision.recipient, shown_bytes_max));
  line += fmt::format(" proto={}", decision.protocol);
  if (decision.step >= AnswerAt::ehlo)
    line += fmt::format(" helo=<{}>", printable(decision.helo, shown_bytes_max));
  return line;
}

std::string_view state_of(const policy::UnknownIpVerdict* verdict) {
  if (verdict == nullptr) return {};
  return verdict->stale ? "pass (stale)" : policy::state_name(verdict->state);
}

void log_postfix_reject(Log& log, const RecipientDecision& decision) {
  log.raw(Severity::info, postfix_reject(decision));
}

}  // namespace postern::session
