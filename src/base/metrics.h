#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.h"

namespace postern {

// What rooms count with: plain values that each room owns, without locks, names or allocation. They
// belong to one shard. Whoever shows them (the server) reads them there and gives them their names.

/// Counts events since the start.
class Counter {
 public:
  Counter& operator++() {
    ++value_;
    return *this;
  }
  Counter& operator+=(std::uint64_t count) {
    value_ += count;
    return *this;
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// One Counter (or other value) for each of the first `count` values of an enum.
template <typename Enum, std::size_t count, typename Value = Counter>
class ByEnum {
 public:
  static constexpr std::size_t size = count;
  Value& operator[](Enum index) { return values_.at(static_cast<std::size_t>(index)); }
  const Value& operator[](Enum index) const { return values_.at(static_cast<std::size_t>(index)); }

 private:
  std::array<Value, count> values_{};
};

/// What a histogram holds, whatever its buckets are. Valid as long as the histogram.
struct HistogramView {
  std::span<const Duration> bounds;        ///< upper, inclusive, rising
  std::span<const std::uint64_t> buckets;  ///< one more than bounds: the last is beyond all of them
  double sum_seconds = 0;
};

/// How many durations were how long, in fixed buckets: `bounds` is an array of rising Durations.
template <const auto& bounds>
class Histogram {
 public:
  static_assert(std::ranges::is_sorted(bounds));

  void observe(Duration duration) {
    std::size_t bucket = 0;
    while (bucket < bounds.size() && duration > bounds[bucket]) ++bucket;
    ++buckets_[bucket];
    // A double: days of waiting, added up, do not fit in 64 bits of nanoseconds.
    sum_seconds_ += std::chrono::duration<double>(duration).count();
  }
  [[nodiscard]] HistogramView view() const { return {bounds, buckets_, sum_seconds_}; }

 private:
  std::array<std::uint64_t, bounds.size() + 1> buckets_{};
  double sum_seconds_ = 0;
};

/// For what should take milliseconds and may take seconds: lookups, checks, commits, sessions.
inline constexpr std::array<Duration, 14> latency_bounds{
    std::chrono::microseconds(500), std::chrono::milliseconds(1),   std::chrono::microseconds(2500),
    std::chrono::milliseconds(5),   std::chrono::milliseconds(10),  std::chrono::milliseconds(25),
    std::chrono::milliseconds(50),  std::chrono::milliseconds(100), std::chrono::milliseconds(250),
    std::chrono::milliseconds(500), std::chrono::seconds(1),        std::chrono::milliseconds(2500),
    std::chrono::seconds(5),        std::chrono::seconds(10)};
using LatencyHistogram = Histogram<latency_bounds>;

/// For what may take days: a message's way through the queue.
inline constexpr std::array<Duration, 12> delay_bounds{
    std::chrono::milliseconds(100), std::chrono::seconds(1), std::chrono::seconds(10),
    std::chrono::minutes(1),        std::chrono::minutes(5), std::chrono::minutes(15),
    std::chrono::hours(1),          std::chrono::hours(4),   std::chrono::hours(12),
    std::chrono::hours(24),         std::chrono::hours(48),  std::chrono::hours(5 * 24)};
using DelayHistogram = Histogram<delay_bounds>;

}  // namespace postern
