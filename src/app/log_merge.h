#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "app/log_files.h"
#include "base/result.h"
#include "maillog/reader.h"

namespace postern::app {

/// Reads several logs as if they were one, in the order of their times: rotated files of one
/// server, in any order, and logs of several servers. A file is open only while it has lines of the
/// time that is being read: one or two for each server. A line that is earlier than one before it
/// in the same file comes where it stands.
class LogMerge {
 public:
  static constexpr std::size_t open_max = 256;

  /// `utc_offset`: of the logs' servers, as for maillog::Reader.
  LogMerge(std::vector<LogFile> files, Duration utc_offset)
      : files_(std::move(files)), utc_offset_(utc_offset) {}

  /// The next entry, whose texts are there until the next call; nullopt behind the last one. Error:
  /// a file cannot be read, or more than `open_max` overlap; for the operator.
  Result<std::optional<maillog::Entry>> next();
  /// How many bytes were read, of all files' `bytes`.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Source {
    std::optional<LogLines> lines;  ///< nullopt: not opened yet
    maillog::Reader reader;
    maillog::Entry entry;
    WallTime time;  ///< of its next entry: the last one that could be read
  };

  Result<> begin();
  Result<WallTime> first_time(const LogFile& file) const;
  Result<> advance(std::size_t source);

  std::vector<LogFile> files_;
  Duration utc_offset_;
  std::vector<Source> sources_;  ///< as `files_`, which is in the order of their first times then
  using Next = std::pair<WallTime, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> by_time_;
  std::optional<std::size_t> told_;  ///< whose entry was told last
  std::size_t open_ = 0;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace postern::app
