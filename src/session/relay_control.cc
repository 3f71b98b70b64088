#include "session/relay_control.h"

#include <algorithm>

#include "base/networks.h"
#include "base/text.h"

namespace postern::session {
namespace {

/// RFC 5321 section 4.5.1: a host accepts mail for its own postmaster, also as <postmaster>.
bool is_our_postmaster(const Options& options, const mail::Mailbox& recipient) {
  if (!recipient.is_postmaster()) return false;
  return recipient.domain.empty() ||
         mail::normalize_domain(recipient.domain) == mail::normalize_domain(options.smtp.hostname);
}

bool has_route(const mail::Mailbox& recipient) {
  return recipient.local_part_value().find_first_of("%!@") != std::string::npos;
}

}  // namespace

bool in_domains(const std::vector<std::string>& domains, std::string_view domain) {
  return std::ranges::any_of(domains, [domain](const std::string& entry) {
    const bool below = entry.starts_with('.');
    const std::string wanted = mail::normalize_domain(below ? entry.substr(1) : entry);
    if (wanted.empty()) return false;
    if (!below) return domain == wanted;
    return domain.size() > wanted.size() + 1 && domain.ends_with(wanted) &&
           domain[domain.size() - wanted.size() - 1] == '.';
  });
}

RelayDecision decide_relay(const Options& options, const IpAddress& client,
                           const mail::Mailbox& recipient) {
  if (is_our_postmaster(options, recipient)) return RelayDecision::postmaster;
  const bool trusted = any_contains(options.relay.networks, client);
  if (trusted && !recipient.domain.empty()) return RelayDecision::trusted_client;
  if (!in_domains(options.relay.domains, mail::normalize_domain(recipient.domain)))
    return RelayDecision::denied;
  return has_route(recipient) ? RelayDecision::routed : RelayDecision::relay_domain;
}

std::string_view relay_decision_name(RelayDecision decision) {
  switch (decision) {
    case RelayDecision::relay_domain:
      return "relay_domain";
    case RelayDecision::postmaster:
      return "postmaster";
    case RelayDecision::trusted_client:
      return "trusted_client";
    case RelayDecision::routed:
      return "routed";
    case RelayDecision::denied:
      break;
  }
  return "relay_denied";
}

smtp::Reply relay_refusal(RelayDecision decision, const mail::Mailbox& recipient) {
  const std::string address = "<" + printable(recipient.address(), 256) + ">";
  // RFC 5321 section 3.6.2: a server that does not relay for an address answers with 550.
  if (decision == RelayDecision::routed)
    return {550, {5, 7, 1}, address + ": Relay access denied, no routes in a local part"};
  return {550, {5, 7, 1}, address + ": Relay access denied"};
}

}  // namespace postern::session
