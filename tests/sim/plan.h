#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "policy/unknown_ip.h"

namespace postern::sim {

/// What one seed does to the town. Not every seed does everything: a fault that is always there
/// hides what comes without it.
struct Plan {
  std::uint64_t seed = 0;

  // The workload.
  std::size_t mails = 0;
  std::size_t sessions_per_client = 0;
  bool pipelining = false;  ///< some sessions do; otherwise none
  bool large_contents = false;
  std::uint64_t inline_bytes_max = 0;  ///< of the queue; larger contents go to files
  std::size_t connections_per_destination_max = 0;
  policy::Action refuse_with = policy::Action::reply_450;

  // The faults.
  Duration fault_time{};  ///< how long they last
  bool crashes = false;
  bool power_failures = false;  ///< some of the crashes are
  bool store_failures = false;
  bool disk_full = false;
  bool resets = false;
  bool one_byte_reads = false;
  bool lost_last_bytes = false;
  bool partitions = false;
  bool dns_failures = false;
  bool flaky_next_hops = false;
  bool greylisting = false;

  [[nodiscard]] bool faults() const;
  [[nodiscard]] std::string text() const;  ///< for a person who looks into a seed
};

/// The plan of a seed: each tenth is without faults.
Plan plan_of(std::uint64_t seed);

}  // namespace postern::sim
