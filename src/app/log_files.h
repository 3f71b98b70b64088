#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace postern::app {

/// Another server's log, as a file that may be compressed by gzip.
struct LogFile {
  std::string path;
  WallTime written_until;   ///< when it was last changed
  std::uint64_t bytes = 0;  ///< on disk

  /// Error: no such file, no permission, no plain file; for the operator. "-" is standard input.
  static Result<LogFile> find(const std::string& path, WallTime now);
};

/// Reads such a file line by line. Holds it open, and some 256 KiB.
class LogLines {
 public:
  static constexpr std::size_t line_bytes_max = 16 * 1024;  ///< what is beyond is passed over

  /// Error: it cannot be opened; for the operator.
  static Result<LogLines> open(const LogFile& file);
  LogLines(LogLines&&) noexcept;
  LogLines& operator=(LogLines&&) noexcept;
  ~LogLines();

  /// The next line without its line end, which is there until the next call; nullopt behind the
  /// last one. Error: the file cannot be read to its end; damaged gzip data.
  Result<std::optional<std::string_view>> next();
  /// How many of the file's `bytes` were read.
  [[nodiscard]] std::uint64_t at() const { return at_; }

 private:
  struct Gz;
  LogLines(std::string path, std::unique_ptr<Gz> file);
  Result<bool> fill();

  std::string path_;
  std::unique_ptr<Gz> file_;
  std::vector<char> buffer_;
  std::string_view rest_;      ///< of the buffer, not told yet
  bool passing_over_ = false;  ///< the rest of a line whose beginning was told
  std::uint64_t at_ = 0;
};

}  // namespace postern::app
