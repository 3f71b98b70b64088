#pragma once

#include <cstdint>
#include <utility>

#include "io/clock.h"

namespace postern::session {

/// Events that any peer can cause at will are logged once in this time, with their number. One for
/// each server, used on its shard.
class LogLimit {
 public:
  static constexpr Duration interval = std::chrono::seconds(1);

  explicit LogLimit(io::Clock& clock) : clock_(clock) {}

  /// Whether such an event may be logged now; if not, it is counted.
  bool allows() {
    const SteadyTime now = clock_.now();
    if (now < next_) {
      ++unlogged_;
      return false;
    }
    next_ = now + interval;
    return true;
  }
  /// How many were not logged since this was asked last.
  std::uint64_t take_unlogged() { return std::exchange(unlogged_, 0); }

 private:
  io::Clock& clock_;
  SteadyTime next_{};
  std::uint64_t unlogged_ = 0;
};

}  // namespace postern::session
