#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "io/deadline.h"
#include "io/network.h"
#include "io/task.h"

namespace postern::admin {

/// Reads lines that end in LF from a stream, bounded. Not for mail: there a line ends in CR LF.
class LineReader {
 public:
  /// `stream` outlives the reader.
  LineReader(io::Stream& stream, std::size_t line_bytes_max)
      : stream_(stream), line_bytes_max_(line_bytes_max) {}

  /// The next line without its end. Cause::closed at the end of the stream, Cause::limit when the
  /// line is too long (then the stream is of no more use), or the stream's error.
  io::Task<Result<std::string>> next(io::Deadline deadline);

 private:
  io::Stream& stream_;
  std::size_t line_bytes_max_;
  std::string pending_;
};

}  // namespace postern::admin
