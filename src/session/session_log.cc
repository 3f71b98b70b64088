#include "session/session_log.h"

#include <fmt/format.h>

#include "base/text.h"

namespace postern::session {
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

void log_decision(Log& log, std::string_view event, const RecipientDecision& decision) {
  const auto write = [&](auto... more) {
    log.line(Severity::info, event,
             {{"client", decision.client.text()},
              {"helo", decision.helo},
              {"sender", decision.sender},
              {"recipient", decision.recipient},
              {"state", decision.cause},
              {"reply", decision.reply.text()},
              {"case", decision.case_id},
              {"ptr", ptr_names(decision.verdict)},
              more...});
  };
  if (decision.rule.empty())
    write();
  else
    write(LogField("override", decision.rule));
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
            {"sender", excuse.sender},
            {"recipient", excuse.recipient},
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
  return fmt::format("NOQUEUE: reject: RCPT from {}[{}]: {}; from=<{}> to=<{}> proto={} helo=<{}>",
                     printable(name, shown_bytes_max), decision.client.text(),
                     postfix_sentence(reply, decision.client),
                     printable(decision.sender, shown_bytes_max),
                     printable(decision.recipient, shown_bytes_max), decision.protocol,
                     printable(decision.helo, shown_bytes_max));
}

void log_postfix_reject(Log& log, const RecipientDecision& decision) {
  log.raw(Severity::info, postfix_reject(decision));
}

}  // namespace postern::session
