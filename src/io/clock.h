#pragma once

#include <cstdint>
#include <functional>

#include "base/time.h"
#include "io/deadline.h"
#include "io/task.h"

namespace postern::io {

/// The only source of time, and of waiting for it. One for each shard; used on that shard only.
class Clock {
 public:
  using TimerId = std::uint64_t;  ///< never 0, never used twice

  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime now() const = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;

  /// Calls `f` once on this shard, not before `time`, never from inside this call. Timers of the
  /// same time run in the order in which they were set. `f` is destroyed uncalled when the timer is
  /// cancelled or the clock ends.
  virtual TimerId call_at(SteadyTime time, std::move_only_function<void()> f) = 0;
  /// Forgets a timer; no effect when it has run or was cancelled.
  virtual void cancel(TimerId id) = 0;

  [[nodiscard]] Deadline in(Duration duration) const { return Deadline::at(now() + duration); }
  /// Resumes after `time`. Ends early only with the shard.
  Task<> sleep_until(SteadyTime time);
  Task<> sleep_for(Duration duration) { return sleep_until(now() + duration); }
};

}  // namespace postern::io
