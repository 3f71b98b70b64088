#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/deadline.h"
#include "io/task.h"

namespace postern::io {

/// Starts other programs. On one shard.
class Programs {
 public:
  struct Call {
    /// The program's full path, then its arguments: no shell reads them, nothing is searched.
    std::vector<std::string> words;
    /// Names and values, in place of our own environment.
    std::vector<std::pair<std::string, std::string>> environment;
  };

  virtual ~Programs() = default;
  /// Runs it as the user that we are, in `/`, without input, its output thrown away, and resumes
  /// with its exit status when it has ended. At the deadline it is killed, with whatever it started
  /// in its process group: Cause::timed_out. Other errors, Blame::operator_: it cannot be started,
  /// or a signal ended it. When the task ends earlier, with the shard, it is killed too.
  virtual Task<Result<int>> run(Call call, Deadline deadline) = 0;
  /// Kills what runs; later calls fail at once. At shutdown, before those who called are joined.
  virtual void stop() {}
};

}  // namespace postern::io
