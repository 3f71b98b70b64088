#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace postern::maillog {

/// Reads the time in front of a line: syslog's "Nov 24 06:00:01", ISO 8601 with 'T' or a blank
/// (Exim), with or without a fraction and an offset.
///
/// syslog's has no year: it is the latest that is not after the end of the file, by a day's grace.
/// What has no offset is the log's server's local time.
class LogTime {
 public:
  /// `written_until`: when the file was last written. `utc_offset`: of the log's server, east is
  /// positive.
  LogTime(WallTime written_until, Duration utc_offset);

  struct Stamp {
    WallTime time;
    std::string_view rest;  ///< of the line, behind the blanks that follow
  };
  /// nullopt when the line does not begin with a time.
  std::optional<Stamp> read(std::string_view line);

 private:
  std::optional<Stamp> read_syslog(std::string_view line);
  [[nodiscard]] std::optional<Stamp> read_iso(std::string_view line) const;

  WallTime latest_;
  Duration utc_offset_;
  int latest_year_;
  // Logs repeat themselves: the last day that was read.
  std::string day_text_;
  WallTime day_;
};

}  // namespace postern::maillog
