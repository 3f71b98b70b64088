#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/task.h"
#include "queue/administration.h"

namespace postern::admin {

/// What `status` tells of a running server.
struct Status {
  std::string version;
  std::string hostname;
  std::vector<std::string> listening;
  WallTime started;
  std::string unknown_ip_mode;
  bool draining = false;
  std::uint64_t sessions = 0;
  queue::Queue::Counts queue;
  struct Ledger {
    bool enabled = false;
    std::string problem;        ///< why nothing is recorded now; empty: all is well
    std::uint64_t written = 0;  ///< since the start
    std::uint64_t dropped = 0;  ///< since the start
    std::uint64_t database_bytes = 0;
  };
  Ledger ledger;
};

/// What an administrator may ask of a running server: the narrow interface by which the control
/// socket reaches it. Implemented by the server; called on its shard. The queue's commands do what
/// queue::Administration says of them.
class Commands {
 public:
  virtual ~Commands() = default;
  virtual Status status() = 0;
  virtual io::Task<Result<queue::Listed>> list(queue::Walk walk) = 0;
  virtual io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(
      queue::Box box, queue::MessageId id) = 0;
  virtual io::Task<Result<queue::ContentPart>> content(queue::Box box, queue::MessageId id,
                                                       std::uint64_t offset) = 0;
  virtual io::Task<Result<queue::Acted>> act(queue::Command command, queue::Walk walk) = 0;
  /// Removes with a report to the sender, who reads `reason` in it when it is not empty.
  virtual io::Task<Result<queue::Acted>> bounce(queue::Walk walk, std::string reason) = 0;
  /// As SIGHUP: reads the configuration again. Error: what is wrong with it; the old one stays.
  virtual Result<> reload() = 0;
};

}  // namespace postern::admin
