#pragma once

#include "admin/commands.h"
#include "dice.h"
#include "history.h"
#include "io/task.h"
#include "queue/administration.h"
#include "server/server.h"

namespace postern::sim {

/// An administrator who holds, releases, retries, removes and sends back messages while they are on
/// their way, and looks through the dead letters. What is removed or sent back, or may have been,
/// is in the history.
class Clerk {
 public:
  explicit Clerk(History& history) : history_(history) {}

  /// One command about one message, or about all. On the gateway; ends with it.
  io::Task<> act(server::Server& server, Dice dice);
  io::Task<> release_all(queue::Queue& queue);
  [[nodiscard]] bool all_released() const { return all_released_; }

 private:
  enum class Removal : std::uint8_t { silent, with_report };
  io::Task<> change(admin::Commands& commands, queue::Command command, queue::Walk one);
  io::Task<> remove(admin::Commands& commands, queue::Walk one, Removal removal);

  History& history_;
  bool all_released_ = false;
};

}  // namespace postern::sim
