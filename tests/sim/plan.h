#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "policy/unknown_ip.h"

namespace postern::sim {

/// What one seed does to the town. Not every seed does everything: a fault that is always there
/// hides what comes without it.
struct Plan {
  std::uint64_t seed = 0;

  // The workload.
  std::size_t mails = 0;
  std::size_t burst = 0;  ///< of them, those that come in one instant
  std::size_t sessions_per_client = 0;
  std::size_t silent_clients = 0;  ///< stop in the middle of a session
  bool pipelining = false;         ///< some sessions do; otherwise none
  bool large_contents = false;
  bool dsn_asked = false;              ///< NOTIFY, RET, ENVID, ORCPT
  std::uint64_t inline_bytes_max = 0;  ///< of the queue; larger contents go to files
  std::size_t connections_per_destination_max = 0;
  policy::Action refuse_with = policy::Action::reply_450;
  std::vector<Duration> retry;
  Duration lifetime{};
  Duration report_lifetime{};
  Duration delay_notice{};  ///< 0: none

  // The next hops.
  bool greylisting = false;
  bool dsn_offered = false;        ///< by some
  std::size_t recipients_max = 0;  ///< that they take in one transaction; 0: all

  // The faults.
  Duration fault_time{};          ///< how long they last
  bool crashes = false;           ///< at moments at which much is at stake
  bool power_failures = false;    ///< some of the crashes are
  std::uint64_t kill_events = 0;  ///< another crash within so many events, and again; 0: none
  bool store_failures = false;
  bool file_failures = false;
  bool disk_full = false;
  bool resets = false;
  bool one_byte_reads = false;
  bool lost_last_bytes = false;
  bool partitions = false;
  bool dns_failures = false;
  bool clock_jumps = false;
  bool flaky_next_hops = false;  ///< refuse, hang and break
  bool busy_next_hops = false;   ///< only refuse
  bool outages = false;          ///< of a next hop, for a good part of the time
  bool administration = false;

  /// How much slower everything goes than in a town of twenty minutes.
  [[nodiscard]] double pace() const;
  [[nodiscard]] bool faults() const;
  /// Nothing happens that could change when an attempt is made, but next hops that refuse or are
  /// away.
  [[nodiscard]] bool exact_retries() const;
  [[nodiscard]] Duration retry_max() const;
  [[nodiscard]] std::string text() const;  ///< for a person who looks into a seed
};

/// The plan of a seed: each tenth is without faults, each tenth has next hops that refuse or are
/// away and nothing else; of all, each fourth takes days.
Plan plan_of(std::uint64_t seed);

}  // namespace postern::sim
