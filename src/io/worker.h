#pragma once

#include <functional>

#include "io/task.h"

namespace postern::io {

/// Runs blocking work off the shard, one piece after the other in the order given (one thread; in
/// the simulator an event a little later). For library calls that block: a store's commit, a file's
/// sync.
class Worker {
 public:
  virtual ~Worker() = default;
  /// Runs `work` and resumes on the calling shard after it. What `work` captures must outlive the
  /// await. `work` must not touch the shard's objects.
  virtual Task<> run(std::move_only_function<void()> work) = 0;
};

}  // namespace postern::io
