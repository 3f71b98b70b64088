#pragma once

#include "dice.h"
#include "history.h"
#include "io/task.h"
#include "queue/administration.h"

namespace postern::sim {

/// An administrator who holds, releases, retries and removes messages while they are on their way.
/// What is removed, or may have been, is in the history.
class Clerk {
 public:
  explicit Clerk(History& history) : history_(history) {}

  /// One command about one message, or about all. On the gateway; ends with it.
  io::Task<> act(queue::Queue& queue, Dice dice);
  io::Task<> release_all(queue::Queue& queue);
  [[nodiscard]] bool all_released() const { return all_released_; }

 private:
  io::Task<> remove(queue::Administration& administration, queue::MessageId id);

  History& history_;
  bool all_released_ = false;
};

}  // namespace postern::sim
