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
  std::string trace = mail::compose_received(received);
  if (facts.verdict == nullptr || facts.verdict->state == policy::UnknownIpState::skipped)
    return trace;
  const mail::AuthenticationResult iprev{
      "iprev",
      std::string(auth::iprev_result_word(facts.verdict->iprev->result)),
      received.client_name,
      {{"policy", "iprev", facts.client.text()}}};
  return trace + mail::compose_authentication_results(facts.hostname, {&iprev, 1});
}

}  // namespace postern::session
