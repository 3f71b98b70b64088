#pragma once

#include <source_location>

namespace postern {

/// Logs `what` with its place to standard error and aborts. For bugs of our own only, never for
/// what a peer, the disk or an operator did. The queue makes an abort safe: what was acknowledged
/// is on disk.
[[noreturn]] void check_failed(const char* what,
                               std::source_location where = std::source_location::current());

}  // namespace postern

/// An invariant of our own code; stays on in release builds.
#define CHECK(condition)                   \
  do {                                     \
    if (!(condition)) [[unlikely]]         \
      ::postern::check_failed(#condition); \
  } while (false)
