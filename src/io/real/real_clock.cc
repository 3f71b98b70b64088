#include "io/real/real_clock.h"

#include <algorithm>
#include <utility>

namespace postern::io {

RealClock::RealClock(boost::asio::io_context& context)
    : system_timer_(std::in_place, context.get_executor()) {}

SteadyTime RealClock::now() const {
  return SteadyTime(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime RealClock::wall_now() const {
  return WallTime(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

Clock::TimerId RealClock::call_at(SteadyTime time, std::move_only_function<void()> f) {
  const TimerId id = timers_.add(time, std::move(f));
  if (time < armed_for_) arm();
  return id;
}

void RealClock::end() {
  system_timer_.reset();
  timers_.clear();
}

void RealClock::arm() {
  // After a cancel the system timer may fire for nothing; that is cheaper than moving it each time.
  const auto earliest = timers_.earliest();
  if (!earliest || firing_ || !system_timer_) return;
  // Never far ahead, so that "never" does not overflow the system's arithmetic.
  armed_for_ = std::min(*earliest, now() + std::chrono::hours(24));
  system_timer_->expires_at(std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          armed_for_.time_since_epoch())));
  system_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) fire();
  });
}

void RealClock::fire() {
  armed_for_ = SteadyTime::max();
  firing_ = true;
  // Timers set by timers wait for the next round, so that the sockets get their turn.
  const std::uint64_t sequence_end = timers_.next_sequence();
  const SteadyTime until = now();
  while (auto call = timers_.pop_due(until, sequence_end)) call();
  firing_ = false;
  arm();
}

}  // namespace postern::io
