#pragma once

#include <cstdint>

#include <boost/intrusive/list.hpp>

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
  [[nodiscard]] bool has_waiters() const { return !waiting_.empty(); }

 private:
  struct Waiting;
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::tag<Notify>,
                                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  /// Part of `Waiting` (notify.cc), in the waiting task's frame.
  struct Place : Hook {};

  Clock& clock_;
  boost::intrusive::list<Place, boost::intrusive::base_hook<Hook>,
                         boost::intrusive::constant_time_size<false>>
      waiting_;
};

}  // namespace postern::io
