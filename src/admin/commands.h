#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/task.h"
#include "queue/queue.h"

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
};

/// What an administrator may ask of a running server: the narrow interface by which the control
/// socket reaches it. Implemented by the server; called on its shard. The queue's commands do what
/// queue::Queue says of them.
class Commands {
 public:
  virtual ~Commands() = default;
  virtual Status status() = 0;
  virtual io::Task<Result<std::vector<queue::Queue::Summary>>> list(queue::MessageId after,
                                                                    std::size_t count) = 0;
  virtual io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(
      queue::MessageId id) = 0;
  virtual Result<> retry(queue::MessageId id) = 0;
  virtual std::size_t flush() = 0;
  virtual io::Task<Result<>> remove(queue::MessageId id) = 0;
  /// As SIGHUP: reads the configuration again. Error: what is wrong with it; the old one stays.
  virtual Result<> reload() = 0;
};

}  // namespace postern::admin
