#pragma once

#include "base/metrics.h"

namespace postern::policy {

enum class UnknownIpState : std::uint8_t;

/// What an UnknownIpCheck has counted since it was made.
struct UnknownIpMetrics {
  // Clients, by where their result came from.
  Counter skipped;     ///< not looked up
  Counter from_cache;  ///< it was there
  Counter stale;       ///< a pass of before was there, that stands in while the DNS does not answer
  Counter joined;      ///< their address was being looked up already
  Counter looked_up;   ///< they were the first
  // Checks of an address.
  Counter not_begun;  ///< for want of a place among those under way; they end as temp_error
  ByEnum<UnknownIpState, 7> ended;  ///< by what they came to, whether or not a pass stood in
  LatencyHistogram latency;         ///< of those that have ended
};

}  // namespace postern::policy
