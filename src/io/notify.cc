#include "io/notify.h"

#include "io/waiter.h"

namespace postern::io {

struct Notify::Waiting : Notify::Place {
  explicit Waiting(Clock& of) : clock(of) {}
  ~Waiting() {
    if (timer != 0) clock.cancel(timer);
  }
  void on_deadline() {
    timer = 0;
    if (!is_linked()) return;  // woken at the same moment
    unlink();
    waiter.resume();
  }

  Clock& clock;
  Waiter waiter;
  Clock::TimerId timer = 0;
  bool woken = false;
};

Task<bool> Notify::wait(Deadline deadline) {
  Waiting waiting(clock_);
  waiting_.push_back(waiting);
  if (!deadline.is_never()) {
    waiting.timer = clock_.call_at(deadline.time(), [&waiting] { waiting.on_deadline(); });
  }
  co_await waiting.waiter.suspend();
  co_return waiting.woken;
}

void Notify::wake_one() {
  if (waiting_.empty()) return;
  Waiting& waiting = static_cast<Waiting&>(waiting_.front());
  waiting_.pop_front();
  waiting.woken = true;
  waiting.waiter.resume();
}

void Notify::wake_all() {
  while (!waiting_.empty()) wake_one();
}

}  // namespace postern::io
