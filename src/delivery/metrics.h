#pragma once

#include <array>

#include "base/metrics.h"
#include "dsn/compose.h"
#include "queue/queue.h"

namespace postern::delivery {

/// Of an attempt, which takes milliseconds where all is well; a host that does not answer the
/// connection takes 30 s, and the reply to the content 10 minutes (RFC 5321 section 4.5.3.2.6).
inline constexpr std::array<Duration, 14> attempt_bounds{
    std::chrono::milliseconds(10),  std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
    std::chrono::milliseconds(100), std::chrono::milliseconds(250),  std::chrono::milliseconds(500),
    std::chrono::seconds(1),        std::chrono::milliseconds(2500), std::chrono::seconds(5),
    std::chrono::seconds(10),       std::chrono::seconds(30),        std::chrono::minutes(1),
    std::chrono::minutes(5),        std::chrono::minutes(10)};
using AttemptHistogram = Histogram<attempt_bounds>;

/// What a Dispatcher and its couriers have counted.
struct Metrics {
  /// What attempts came to, for each recipient: `waiting` is deferred.
  ByEnum<queue::RecipientState, 4> outcomes;
  AttemptHistogram attempt;  ///< connection and transactions of one lease
  DelayHistogram delay;      ///< of recipients that were delivered, since the message arrived
  /// Reports queued, by what they tell of the first recipient in them.
  ByEnum<dsn::Action, 5> reports;
  Counter reports_to_postmaster;
};

}  // namespace postern::delivery
