#pragma once

#include <set>

#include "io/clock.h"
#include "io/programs.h"
#include "io/real/real_worker.h"

namespace postern::io {

/// Programs started by posix_spawn, off the shard, and waited for by a pidfd.
class RealPrograms final : public Programs {
 public:
  RealPrograms(const Executor& executor, Clock& clock)
      : executor_(executor), clock_(clock), worker_(executor, clock) {}

  Task<Result<int>> run(Call call, Deadline deadline) override;
  void stop() override;

 private:
  class Running;

  Executor executor_;
  Clock& clock_;
  RealWorker worker_;
  std::set<int> running_;  // their process ids
  bool stopped_ = false;
};

}  // namespace postern::io
