#pragma once

#include <cstdint>

#include "base/ip.h"
#include "mail/address.h"
#include "session/options.h"
#include "smtp/reply.h"

namespace postern::session {

enum class RelayDecision : std::uint8_t {
  relay_domain,    ///< the recipient's domain is one of ours
  postmaster,      ///< our own postmaster, whom every host must accept
  trusted_client,  ///< the client may relay anywhere
  denied,          ///< neither
  routed,          ///< a domain of ours, but the local part asks the next host to relay further
};

/// Whether a client may send to this recipient. Never an open relay: only the domain behind the
/// last "@" counts, the source route is gone already, an address literal is no domain of ours, and
/// local parts that a host behind us might take for a route ("user%other@ours", "other!user@ours",
/// "\"user@other\"@ours") are refused from clients we do not trust.
RelayDecision decide_relay(const Options& options, const IpAddress& client,
                           const mail::Mailbox& recipient);
constexpr bool may_relay(RelayDecision decision) {
  return decision <= RelayDecision::trusted_client;
}
/// "relay_domain", ..., for the log.
std::string_view relay_decision_name(RelayDecision decision);
/// The refusal: 550 5.7.1.
smtp::Reply relay_refusal(RelayDecision decision, const mail::Mailbox& recipient);

/// Whether `domain` (normalized) is in the list of RelayOptions::domains.
bool in_domains(const std::vector<std::string>& domains, std::string_view domain);

}  // namespace postern::session
