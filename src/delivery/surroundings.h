#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string_view>

#include "base/ip.h"
#include "base/log.h"
#include "delivery/limits.h"
#include "delivery/metrics.h"
#include "delivery/mx.h"
#include "delivery/options.h"
#include "delivery/tls.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "queue/queue.h"

namespace postern::delivery {

/// How the next hops of a destination are looked up with these options.
inline MxLookup::Options lookup_options(const DeliveryOptions& options) {
  return {.hostname = options.hostname,
          .port = options.port,
          .routes = RouteTable(options.routes),
          .lookup_timeout = options.lookup_timeout};
}

/// What it takes to find a next hop and to speak to it.
struct Reach {
  io::World world;
  TlsClient* tls;  ///< nullptr: never TLS
  Log& log;
  DeliveryOptions options;
  MxLookup lookup;
};

/// What the parts of delivery share; lent by the dispatcher, which outlives them.
struct Surroundings : Reach {
  queue::Queue& queue;
  RouteTable routes;      ///< of the options
  bool stopping = false;  ///< no new leases
  Metrics metrics;
  using CountOf = std::map<Endpoint, std::size_t>;
  /// Connections to each address that have not carried a message yet.
  std::shared_ptr<CountOf> unanswered = std::make_shared<CountOf>();

  [[nodiscard]] Limits limits_of(std::string_view destination) const {
    return delivery::limits_of(options, routes.limits_of(destination));
  }
};

}  // namespace postern::delivery
