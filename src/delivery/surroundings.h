#pragma once

#include "base/log.h"
#include "delivery/mx.h"
#include "delivery/options.h"
#include "delivery/tls.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "queue/queue.h"

namespace postern::delivery {

/// How the next hops of a destination are looked up with these options.
inline MxLookup::Options lookup_options(const DeliveryOptions& options) {
  return {
      .hostname = options.hostname, .port = options.port, .lookup_timeout = options.lookup_timeout};
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
  bool stopping = false;  ///< no new leases
};

}  // namespace postern::delivery
