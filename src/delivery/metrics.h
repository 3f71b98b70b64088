#pragma once

#include "base/metrics.h"
#include "dsn/compose.h"
#include "queue/queue.h"

namespace postern::delivery {

/// What a Dispatcher and its couriers have counted.
struct Metrics {
  /// What attempts came to, for each recipient: `waiting` is deferred.
  ByEnum<queue::RecipientState, 4> outcomes;
  LatencyHistogram attempt;  ///< connection and transactions of one lease
  DelayHistogram delay;      ///< of recipients that were delivered, since the message arrived
  /// Reports queued, by what they tell of the first recipient in them.
  ByEnum<dsn::Action, 5> reports;
  Counter reports_to_postmaster;
};

}  // namespace postern::delivery
