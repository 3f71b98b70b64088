#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/ip.h"
#include "base/time.h"
#include "policy/unknown_ip.h"

namespace postern::policy {

/// What the checks of addresses came to, each for as long as the DNS allows. A pass whose time is
/// over is kept for a while longer: it stands in for a lookup that ends without an answer, as RFC
/// 8767 has it for DNS data, so that an outage of the DNS does not refuse who was known good. A
/// refusal never does: its own time is at most negative_ttl_max, and without an answer the client
/// may have mended its records long ago; it then reads that of temp_error, which is never for good.
/// Pure but for the time it is told. Bounded: entries_max results and bytes_max of what was looked
/// up, the least used one goes; what is over goes as others come.
class ResultCache {
 public:
  struct Limits {
    std::size_t entries_max = 0;  ///< 0 counts as 1
    Duration positive_ttl_max{};
    Duration negative_ttl_max{};
    Duration undetermined_ttl{};
    Duration stale_max{};  ///< how long after its time a pass may stand in; 0: never
  };
  struct Found {
    /// To be used; nullptr: there is none, and the client has to wait for a new one.
    std::shared_ptr<const UnknownIpVerdict> verdict;
    /// It stands in for an answer that the DNS did not give: look again now, without waiting.
    bool refresh = false;
  };

  Found find(const IpAddress& client, SteadyTime now);
  /// Takes what a check of `client` came to, and returns what counts: that, or when it is
  /// temp_error a pass from before, marked as stale.
  std::shared_ptr<const UnknownIpVerdict> put(const IpAddress& client,
                                              std::shared_ptr<const UnknownIpVerdict> verdict,
                                              SteadyTime now, const Limits& limits);
  void clear();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  /// Of results: some 500 bytes each as a rule, 10 kB of who gives an address ten long names with
  /// many addresses each.
  static constexpr std::size_t bytes_max = std::size_t{128} << 20;
  /// How long after a lookup without an answer the next one is made, at most: the pauses double
  /// from undetermined_ttl on.
  static constexpr Duration refresh_pause_max = std::chrono::minutes(5);

 private:
  struct Entry {
    std::shared_ptr<const UnknownIpVerdict> verdict;
    SteadyTime until;        ///< used without a new lookup
    SteadyTime stale_until;  ///< of a pass: may stand in; else the past
    Duration pause{};        ///< after the last lookup without an answer
    std::size_t bytes = 0;
    std::list<IpAddress>::iterator used;

    [[nodiscard]] SteadyTime end() const { return std::max(until, stale_until); }
  };
  void drop_ended(SteadyTime now);
  void drop(IpAddress client);

  std::unordered_map<IpAddress, Entry> entries_;
  std::list<IpAddress> used_;                        ///< the last used first
  std::set<std::pair<SteadyTime, IpAddress>> ends_;  ///< when it is of no use any more
  std::size_t bytes_ = 0;
};

}  // namespace postern::policy
