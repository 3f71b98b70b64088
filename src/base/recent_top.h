#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/time.h"

namespace postern {

/// Which keys were counted most in the last minutes. Bounded whatever the keys are: a minute keeps
/// `capacity` of them by the Space-Saving algorithm (Metwally, Agrawal, El Abbadi 2005), in which a
/// new key takes the place, and the count, of the rarest. So a count may be too high, by no more
/// than the minute's total / capacity, and a key with a larger share than that is always there.
/// No allocation when counting. One shard.
template <typename Key, std::size_t capacity = 64, std::size_t minutes = 5>
class RecentTop {
 public:
  struct Entry {
    Key key{};
    std::uint64_t count = 0;
    bool operator==(const Entry&) const = default;
  };
  static constexpr Duration window = std::chrono::minutes(minutes);

  void count(const Key& key, SteadyTime now) {
    Minute& minute = minute_of(now);
    const auto used = minute.entries.begin() + static_cast<std::ptrdiff_t>(minute.used);
    auto entry = std::find_if(minute.entries.begin(), used,
                              [&key](const Entry& known) { return known.key == key; });
    if (entry == used) {
      if (minute.used < capacity)
        ++minute.used;
      else
        entry = std::ranges::min_element(minute.entries, {}, &Entry::count);
      entry->key = key;
    }
    ++entry->count;
  }

  /// The first `count_max`, the most frequent first; those of one count in no certain order.
  [[nodiscard]] std::vector<Entry> top(std::size_t count_max, SteadyTime now) const {
    std::vector<Entry> sums;
    for (const Minute& minute : minutes_) {
      if (minute.number + static_cast<std::int64_t>(minutes) <= number_of(now)) continue;
      for (std::size_t i = 0; i < minute.used; ++i) {
        const Entry& entry = minute.entries[i];
        const auto known = std::ranges::find(sums, entry.key, &Entry::key);
        if (known == sums.end())
          sums.push_back(entry);
        else
          known->count += entry.count;
      }
    }
    const std::size_t shown = std::min(count_max, sums.size());
    std::ranges::partial_sort(sums, sums.begin() + static_cast<std::ptrdiff_t>(shown),
                              std::ranges::greater{}, &Entry::count);
    sums.resize(shown);
    return sums;
  }

 private:
  struct Minute {
    std::int64_t number = std::numeric_limits<std::int64_t>::min() / 2;  ///< since the clock's zero
    std::size_t used = 0;
    std::array<Entry, capacity> entries{};
  };

  static std::int64_t number_of(SteadyTime now) {
    return std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
  }
  Minute& minute_of(SteadyTime now) {
    const std::int64_t number = number_of(now);
    Minute& minute = minutes_[static_cast<std::uint64_t>(number) % minutes];
    if (minute.number != number) minute = Minute{.number = number};
    return minute;
  }

  std::array<Minute, minutes> minutes_{};
};

}  // namespace postern
