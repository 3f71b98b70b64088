#include "session/trace_header.h"

#include "auth/iprev.h"
#include "mail/authentication_results.h"
#include "mail/received.h"

namespace postern::session {

std::string confirmed_name(const policy::UnknownIpVerdict* verdict) {
  return verdict != nullptr && verdict->iprev->result == auth::IprevResult::pass
             ? verdict->iprev->confirmed_name
             : std::string();
}

std::string compose_trace(const TraceFacts& facts) {
  mail::Received received;
  received.helo = facts.helo;
  received.client = facts.client;
  received.client_name = confirmed_name(facts.verdict);
  received.by = facts.hostname;
  received.protocol = facts.protocol;
  received.id = facts.queue_id;
  // RFC 5321 section 7.2: several recipients must not learn of each other from the trace.
  if (facts.envelope.recipients.size() == 1)
    received.recipient = facts.envelope.recipients.front().address;
  received.when = facts.when;
  const std::string trace = mail::compose_received(received);
  return facts.verdict == nullptr ? trace : trace + compose_results(facts.hostname, *facts.verdict);
}

std::string compose_results(std::string_view hostname, const policy::UnknownIpVerdict& verdict) {
  if (verdict.state == policy::UnknownIpState::skipped) return {};
  const mail::AuthenticationResult iprev{
      "iprev",
      std::string(auth::iprev_result_word(verdict.iprev->result)),
      confirmed_name(&verdict),
      {{"policy", "iprev", verdict.iprev->address.text()}}};
  return mail::compose_authentication_results(hostname, {&iprev, 1});
}

}  // namespace postern::session
