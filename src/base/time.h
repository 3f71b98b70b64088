#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

using Duration = std::chrono::nanoseconds;
using std::chrono::seconds;

/// Tag clocks: points of time have types, but only io::Clock can say what time it is now.
struct SteadyClockTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<SteadyClockTag>;
  static constexpr bool is_steady = true;
};
struct WallClockTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<WallClockTag>;
  static constexpr bool is_steady = false;
};

/// Never jumps; means nothing after a restart. For deadlines.
using SteadyTime = SteadyClockTag::time_point;
/// Nanoseconds since 1970-01-01 UTC; may jump. For what is stored or shown.
using WallTime = WallClockTag::time_point;

/// RFC 5322 section 3.3: "Tue, 24 Nov 2026 03:25:53 +0000", always in UTC.
std::string format_rfc5322(WallTime time);
/// "2026-11-24T03:25:53.123Z"
std::string format_iso8601(WallTime time);
/// "5d", "4h", "15m", "30s", "250ms"; the two largest units: "1h30m".
std::string format_duration(Duration duration);
/// Reads what format_duration writes (any run of number and unit: ms, s, m, h, d, w); nullopt when
/// it is not one, negative or longer than 10 years.
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace postern
