#include "io/task_group.h"

#include <exception>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "base/check.h"
#include "io/waiter.h"

namespace postern::io {

/// Travels with the task and counts it off at its end, also when it is destroyed unfinished.
struct TaskGroup::Ended {
  TaskGroup* group;

  explicit Ended(TaskGroup* of) : group(of) {}
  Ended(Ended&& other) noexcept : group(std::exchange(other.group, nullptr)) {}
  Ended& operator=(Ended&&) = delete;
  ~Ended() {
    if (group != nullptr && --group->size_ == 0) group->ended_.wake_all();
  }
};

TaskGroup::TaskGroup(Executor executor, Clock& clock, std::size_t tasks_max)
    : executor_(std::move(executor)), tasks_max_(tasks_max), ended_(clock) {}

TaskGroup::~TaskGroup() {
  CHECK(size_ == 0);
}

bool TaskGroup::spawn(std::string_view name, Task<> task) {
  if (joining_ || full()) return false;
  // The shard has ended: an object of it, destroyed after it, cleans up.
  if (ParkingLot::of(executor_).dropping()) return false;
  ++size_;
  // co_spawn runs the task's beginning inside the call when it is called on the shard.
  boost::asio::post(
      executor_, [executor = executor_, task = run(Ended(this), name, std::move(task))]() mutable {
        boost::asio::co_spawn(executor, std::move(task), boost::asio::detached);
      });
  return true;
}

Task<> TaskGroup::run(Ended ended, std::string_view name, Task<> task) {
  const Ended counted = std::move(ended);
  ParkingLot::of(counted.group->executor_).begin_root();
  std::string escaped;
  try {
    co_await std::move(task);
    co_return;
  } catch (const std::exception& e) {
    escaped = e.what();
  } catch (...) {
    escaped = "not a std::exception";
  }
  check_failed(("exception out of task '" + std::string(name) + "': " + escaped).c_str());
}

Task<> TaskGroup::join() {
  co_await join_until(Deadline::never());
}

Task<bool> TaskGroup::join_until(Deadline deadline) {
  joining_ = true;
  while (size_ != 0 && co_await ended_.wait(deadline)) {
  }
  co_return size_ == 0;
}

}  // namespace postern::io
