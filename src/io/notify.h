#pragma once

#include <cstdint>
#include <list>

#include "io/clock.h"
#include "io/task.h"

namespace postern::io {

/// Wakes tasks of the same shard: a condition variable for coroutines. Waiters re-check their
/// condition themselves. Must outlive its waiters; wake_all() before destruction and let them
/// finish.
class Notify {
 public:
  explicit Notify(Clock& clock) : clock_(clock) {}
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  /// Resumes at the next wake, or when the deadline passes. True: woken; false: the deadline
  /// passed.
  Task<bool> wait(Deadline deadline);
  /// Resume one waiter, the one that waited longest, or all. They run from the shard's ready queue,
  /// not inside the call.
  void wake_one();
  void wake_all();
  [[nodiscard]] bool has_waiters() const { return !waiters_.empty(); }

 private:
  struct Waiter {
    Completion<bool> completion;
    Clock::TimerId timer = 0;
  };
  void complete(std::list<Waiter>::iterator waiter, bool woken);

  Clock& clock_;
  std::list<Waiter> waiters_;
};

}  // namespace postern::io
