#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "delivery/options.h"

namespace postern::delivery {

/// What bounds the deliveries to one destination, and when they are tried again: what its route
/// sets, and otherwise what DeliveryOptions says.
struct Limits {
  std::vector<Duration> retry;  ///< not empty
  Duration lifetime{};
  Duration report_lifetime{};  ///< of messages with the null reverse path
  Duration delay_notice{};     ///< 0: none
  std::size_t connections_max = 1;
  std::uint32_t messages_per_connection_max = 1;
  std::uint32_t messages_per_minute_max = 0;  ///< 0: no bound
};

/// `route` may be nullptr.
Limits limits_of(const DeliveryOptions& options, const RouteLimits* route);

/// When a recipient that failed for now is tried again. `attempts`: how many were made before this
/// one.
Duration retry_delay(const Limits& limits, std::uint32_t attempts);

}  // namespace postern::delivery
