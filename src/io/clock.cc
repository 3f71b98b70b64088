#include "io/clock.h"

#include "io/waiter.h"

namespace postern::io {
namespace {

/// Cancels the timer when the frame that waits for it is destroyed.
struct TimerGuard {
  Clock& clock;
  Clock::TimerId id;
  ~TimerGuard() { clock.cancel(id); }
};

}  // namespace

Task<> Clock::sleep_until(SteadyTime time) {
  Waiter waiter;
  const TimerGuard guard{*this, call_at(time, [&waiter] { waiter.resume(); })};
  co_await waiter.suspend();
}

}  // namespace postern::io
