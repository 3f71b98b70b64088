#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/time.h"

namespace postern::policy {

enum class UnknownIpState : std::uint8_t;

/// What `unknown_ip.escalation` sets.
struct EscalationOptions {
  bool enabled = false;
  std::uint64_t after_attempts = 6;
  Duration after = std::chrono::hours(4);
  bool operator==(const EscalationOptions&) const = default;
};

/// Which refusals become permanent. A server that is answered 450 tries for days before its user
/// hears of it; when the DNS has said the same of it again and again for hours, 550 lets the user
/// hear now. Only refusals that were answered count, so that nobody's first one is permanent, and
/// of them only what the DNS has said for certain, while it does not change: a lookup without an
/// answer counts for nothing, a pass or other evidence begins anew.
///
/// Pure but for the time it is told. In memory: a restart begins anew. Bounded: clients_max
/// clients, the one that was not seen for the longest time goes.
class Escalation {
 public:
  explicit Escalation(std::size_t clients_max) : clients_max_(clients_max) {}

  /// What is known of one client.
  struct Seen {
    SteadyTime first;
    SteadyTime last;  ///< attempt that counted
    std::uint32_t attempts = 0;
    std::uint64_t evidence = 0;
  };

  /// The client was found in `state`, by these lookups. Whether a refusal now may be permanent, as
  /// one more attempt.
  [[nodiscard]] bool is_due(const IpAddress& client, UnknownIpState state, const auth::Iprev& iprev,
                            SteadyTime now, const EscalationOptions& options) const;
  /// It was refused for that, or it was a pass. Counts also while escalation is not enabled, so
  /// that enabling it does not begin from nothing.
  void note(const IpAddress& client, UnknownIpState state, const auth::Iprev& iprev,
            SteadyTime now);
  /// nullptr: nothing that counts.
  [[nodiscard]] const Seen* find(const IpAddress& client) const;
  [[nodiscard]] std::size_t size() const { return clients_.size(); }

  /// Attempts closer together than this are one: a storm of retries, or a queue run with many
  /// messages, says nothing new. Not below the longest time that we keep a refusal ourselves, so
  /// that each attempt that counts stands on a question of its own. A resolver's cache may answer
  /// it for as long as the records' TTL: so long their owner has said that they stay.
  static constexpr Duration attempts_apart = std::chrono::minutes(5);
  /// After so long without an attempt it begins anew: longer than any server waits between two.
  static constexpr Duration forgotten_after = std::chrono::hours(24);

 private:
  struct Entry {
    Seen seen;
    std::list<IpAddress>::iterator used;
  };
  void forget(const IpAddress& client);

  std::size_t clients_max_;
  std::unordered_map<IpAddress, Entry> clients_;
  std::list<IpAddress> used_;  ///< the last seen first
};

/// What the DNS said of a client, as one number: names with their addresses, in whatever order they
/// came. The same for the same evidence, whatever its TTLs.
std::uint64_t evidence_of(UnknownIpState state, const auth::Iprev& iprev);

}  // namespace postern::policy
