#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/random.h"
#include "io/clock.h"
#include "io/sim/trace.h"
#include "io/timer_queue.h"

namespace postern::io {

/// Names a simulated host; 0 is the network between them.
using HostId = std::uint32_t;
constexpr HostId no_host = 0;

/// What all parts of one simulated world share: its time, its future, its dice and its trace.
class SimCore {
 public:
  explicit SimCore(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] SteadyTime now() const { return now_; }
  void advance_to(SteadyTime time) { now_ = time; }
  TimerQueue& timers() { return timers_; }
  Trace& trace() { return trace_; }
  SplitMix64& random() { return random_; }
  void record(std::string_view kind, std::string_view bytes) { trace_.record(now_, kind, bytes); }

  Duration between(Duration min, Duration max) {
    if (max <= min) return min;
    return min + Duration(static_cast<std::int64_t>(
                     random_.below(static_cast<std::uint64_t>((max - min).count()))));
  }
  bool chance_per_mille(std::uint32_t per_mille) {
    return per_mille != 0 && random_.below(1000) < per_mille;
  }

 private:
  // Not 0, so that a time point that was never set is recognised as past.
  SteadyTime now_{seconds(1'000)};
  TimerQueue timers_;
  Trace trace_;
  SplitMix64 random_;
};

/// Virtual time as one host sees it. Its timers end with the host.
class SimClock final : public Clock {
 public:
  SimClock(SimCore& core, HostId host) : core_(core), host_(host) {}

  [[nodiscard]] SteadyTime now() const override { return core_.now(); }
  [[nodiscard]] WallTime wall_now() const override;
  TimerId call_at(SteadyTime time, std::move_only_function<void()> f) override {
    return core_.timers().add(time, std::move(f), host_);
  }
  void cancel(TimerId id) override { core_.timers().cancel(id); }

  /// As if somebody had set the host's clock.
  void shift_wall(Duration by) { wall_shift_ += by; }

 private:
  SimCore& core_;
  HostId host_;
  Duration wall_shift_{};
};

}  // namespace postern::io
