#pragma once

#include <cstdint>

#include <boost/asio/basic_signal_set.hpp>

#include "base/result.h"
#include "io/task.h"

namespace postern::io {

/// The operator's signals, as values on one shard. Only one object of this kind at a time.
class Signals {
 public:
  enum class Kind : std::uint8_t {
    drain,   ///< SIGTERM, SIGINT: finish and end
    reload,  ///< SIGHUP
  };

  /// From here on these signals no longer end the program.
  explicit Signals(const Executor& executor);
  /// The next signal; Cause::cancelled after close().
  Task<Result<Kind>> next();
  void close();

 private:
  boost::asio::basic_signal_set<Executor> set_;
};

}  // namespace postern::io
