#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace postern::app {

/// Another server's log, as a file that may be compressed by gzip.
struct LogFile {
  static constexpr std::size_t line_bytes_max = 64 * 1024;  ///< what is beyond is passed over

  std::string path;
  WallTime written_until;   ///< when it was last changed
  std::uint64_t bytes = 0;  ///< on disk

  /// Error: no such file, no permission, no plain file; for the operator. "-" is standard input.
  static Result<LogFile> find(const std::string& path, WallTime now);
  enum class Go : std::uint8_t { on, end };
  using OnLine = std::function<Go(std::string_view line, std::uint64_t at)>;
  /// Calls `on_line` with each line, without its line end; `at` is how many of `bytes` were read.
  /// Error: it cannot be read to its end; damaged gzip data.
  Result<> read(const OnLine& on_line) const;
};

}  // namespace postern::app
