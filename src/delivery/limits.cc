#include "delivery/limits.h"

#include <algorithm>

#include "base/check.h"

namespace postern::delivery {

Limits limits_of(const DeliveryOptions& options, const RouteLimits* route) {
  static const RouteLimits none;
  const RouteLimits& own = route == nullptr ? none : *route;
  return {.retry = own.retry.empty() ? options.retry : own.retry,
          .lifetime = own.lifetime.value_or(options.lifetime),
          .report_lifetime = options.report_lifetime,
          .delay_notice = options.delay_notice,
          .connections_max = own.connections_max.value_or(options.connections_per_destination_max),
          .messages_per_connection_max =
              own.messages_per_connection_max.value_or(options.messages_per_connection_max),
          .messages_per_minute_max = own.messages_per_minute_max.value_or(0)};
}

Duration retry_delay(const Limits& limits, std::uint32_t attempts) {
  CHECK(!limits.retry.empty());
  return limits.retry[std::min<std::size_t>(attempts, limits.retry.size() - 1)];
}

}  // namespace postern::delivery
