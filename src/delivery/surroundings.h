#pragma once

#include "base/log.h"
#include "delivery/mx.h"
#include "delivery/options.h"
#include "delivery/tls.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "queue/queue.h"

namespace postern::delivery {

/// What the parts of delivery share; lent by the dispatcher, which outlives them.
struct Surroundings {
  io::World world;
  queue::Queue& queue;
  TlsClient* tls;  ///< nullptr: never TLS
  Log& log;
  DeliveryOptions options;
  MxLookup lookup;
  bool stopping = false;  ///< no new leases
};

}  // namespace postern::delivery
