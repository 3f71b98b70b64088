#include "ledger/persistence.h"

#include <algorithm>

namespace postern::ledger {
namespace {

bool one_network(const IpAddress& a, const IpAddress& b) {
  return network_base(a) == network_base(b);
}

}  // namespace

void PersistenceByClient::add(const Deferral& deferral, const Assessment& assessment) {
  constexpr std::uint32_t attempts_that_tell = 3;
  ++outcomes_.at(static_cast<std::size_t>(assessment.outcome));
  for (const IpAddress& address : deferral.addresses) {
    if (clients_.size() >= clients_max && !clients_.contains(address)) continue;
    ClientPersistence& of = clients_[address];
    // From elsewhere it may be the sender's true server, which sent another message.
    if (deferral.accepted && one_network(deferral.accepted_from, address)) ++of.recovered;
    if (deferral.attempts_count <= of.attempts_most) continue;
    of.attempts_most = deferral.attempts_count;
    if (deferral.attempts_count < attempts_that_tell) continue;
    of.upstream = assessment.upstream.profile;
    of.alone = std::ranges::all_of(deferral.addresses, [&address](const IpAddress& other) {
      return one_network(address, other);
    });
  }
}

const ClientPersistence* PersistenceByClient::find(const IpAddress& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? nullptr : &found->second;
}

}  // namespace postern::ledger
