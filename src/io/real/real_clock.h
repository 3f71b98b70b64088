#pragma once

#include <chrono>
#include <optional>

#include <boost/asio/basic_waitable_timer.hpp>

#include "io/clock.h"
#include "io/timer_queue.h"

namespace postern::io {

/// The system's time; one Asio timer, armed for the earliest of all timers.
class RealClock final : public Clock {
 public:
  explicit RealClock(boost::asio::io_context& context);
  ~RealClock() override = default;

  [[nodiscard]] SteadyTime now() const override;
  [[nodiscard]] WallTime wall_now() const override;
  TimerId call_at(SteadyTime time, std::move_only_function<void()> f) override;
  void cancel(TimerId id) override { timers_.cancel(id); }

  /// Drops every timer. What still refers to the clock may cancel, but not set any.
  void end();

 private:
  using SystemTimer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  void arm();
  void fire();

  TimerQueue timers_;
  std::optional<SystemTimer> system_timer_;
  SteadyTime armed_for_ = SteadyTime::max();
  bool firing_ = false;
};

}  // namespace postern::io
