#pragma once

#include <algorithm>

#include "base/time.h"

namespace postern::io {

/// The point of time by which an operation must have ended. Passed down the call chain; only
/// shrinks.
class Deadline {
 public:
  /// For what may wait as long as its object lives (an accept loop): it still ends when the object
  /// is closed.
  static constexpr Deadline never() { return Deadline(SteadyTime::max()); }
  static constexpr Deadline at(SteadyTime time) { return Deadline(time); }

  [[nodiscard]] constexpr SteadyTime time() const { return time_; }
  [[nodiscard]] constexpr bool passed(SteadyTime now) const { return now >= time_; }
  [[nodiscard]] constexpr bool is_never() const { return time_ == SteadyTime::max(); }
  [[nodiscard]] constexpr Deadline sooner(Deadline other) const {
    return Deadline(std::min(time_, other.time_));
  }

 private:
  explicit constexpr Deadline(SteadyTime time) : time_(time) {}
  SteadyTime time_;
};

}  // namespace postern::io
