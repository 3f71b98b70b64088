#pragma once

#include <algorithm>
#include <span>

#include "base/ip.h"

namespace postern {

/// Whether one of the networks contains the address.
inline bool any_contains(std::span<const IpNetwork> networks, const IpAddress& address) {
  return std::ranges::any_of(
      networks, [&address](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace postern
