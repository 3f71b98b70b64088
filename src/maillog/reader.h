#pragma once

#include <string_view>

#include "maillog/entry.h"
#include "maillog/log_time.h"

namespace postern::maillog {

/// Reads a mail log of Postfix, Exim or Sendmail, line by line, as syslog or the program itself
/// writes it. What peers could put into a line (HELO, addresses) cannot make it another line, but
/// may make its own fields wrong. Never fails: what is no log line is `unreadable`.
class Reader {
 public:
  /// As for LogTime.
  Reader(WallTime written_until, Duration utc_offset) : time_(written_until, utc_offset) {}
  /// The line without its line end; the entry's texts are parts of it.
  Entry read(std::string_view line);

 private:
  LogTime time_;
};

}  // namespace postern::maillog
