#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "ledger/deferral.h"

namespace postern::ledger {

/// What one client's refused mail came to.
struct ClientPersistence {
  std::uint64_t recovered = 0;  ///< accepted later from its own network
  std::uint32_t attempts_most = 0;
  /// Who it seems to be; nullptr: it did not try often enough to tell.
  const upstream::Profile* upstream = nullptr;
  /// All these attempts came from its network: who only uses the name of a pool in EHLO would share
  /// in what others have tried.
  bool alone = false;
};

/// The same of all clients, added up deferral by deferral, so that none is kept.
class PersistenceByClient {
 public:
  static constexpr std::size_t clients_max = 1'000'000;  ///< of those beyond nothing is told

  /// `assessment.upstream.profile` outlives it.
  void add(const Deferral& deferral, const Assessment& assessment);

  /// nullptr: nothing is known.
  [[nodiscard]] const ClientPersistence* find(const IpAddress& client) const;
  /// How many deferrals, by Outcome.
  [[nodiscard]] const std::array<std::uint64_t, 4>& outcomes() const { return outcomes_; }

 private:
  std::unordered_map<IpAddress, ClientPersistence> clients_;
  std::array<std::uint64_t, 4> outcomes_{};
};

}  // namespace postern::ledger
