#pragma once

#include <cstddef>
#include <string_view>

#include "io/notify.h"
#include "io/task.h"

namespace postern::io {

/// Owns tasks: nothing runs detached. At most `tasks_max` at once. The owner must call `join()`
/// (after it made the tasks' own objects end: closed streams, set a stop flag) before the group is
/// destroyed; CHECKed. When the whole shard ends instead, its tasks are destroyed, the youngest
/// first.
class TaskGroup {
 public:
  TaskGroup(Executor executor, Clock& clock, std::size_t tasks_max);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task` on the shard's ready queue. False, and the task never runs, when the group is
  /// full or joining, or the shard has ended. An exception that escapes the task is a bug of ours
  /// and aborts with `name`, which must outlive the task (a literal).
  bool spawn(std::string_view name, Task<> task);
  /// Refuses new tasks and resumes when all have ended.
  Task<> join();
  /// As join(), to the deadline at the longest. False: some have not ended, and join() is still
  /// due.
  Task<bool> join_until(Deadline deadline);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool full() const { return size_ >= tasks_max_; }

 private:
  struct Ended;
  static Task<> run(Ended ended, std::string_view name, Task<> task);

  Executor executor_;
  std::size_t tasks_max_;
  std::size_t size_ = 0;
  bool joining_ = false;
  Notify ended_;
};

}  // namespace postern::io
