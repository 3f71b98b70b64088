#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/time.h"

namespace postern::io {

/// Timers ordered by (time, sequence): what the real clock (one system timer, armed for the
/// earliest) and the simulated one (jumps to the earliest) have in common. Binary heap over reused
/// slots; at most `timers_max` at once, CHECKed.
class TimerQueue {
 public:
  using Id = std::uint64_t;
  using Call = std::move_only_function<void()>;
  static constexpr std::size_t timers_max = std::size_t{1} << 20;

  /// `owner` groups timers for cancel_owner.
  Id add(SteadyTime time, Call call, std::uint32_t owner = 0);
  void cancel(Id id);
  void cancel_owner(std::uint32_t owner);
  void clear();

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] std::optional<SteadyTime> earliest() const;
  /// The sequence number that the next timer gets.
  [[nodiscard]] std::uint64_t next_sequence() const { return next_sequence_; }
  /// Takes out the earliest timer if it is due at `now` and older than `sequence_end` (which keeps
  /// timers set by timers for the next round). Empty when there is none.
  Call pop_due(SteadyTime now, std::uint64_t sequence_end = UINT64_MAX);

 private:
  struct Slot {
    std::uint64_t sequence = 0;  // 0: free
    std::uint32_t heap_index = 0;
    std::uint32_t owner = 0;
    Call call;
  };
  struct Entry {
    SteadyTime time;
    std::uint64_t sequence;
    std::uint32_t slot;
    bool operator<(const Entry& other) const {
      return time != other.time ? time < other.time : sequence < other.sequence;
    }
  };

  void place(std::size_t index, Entry entry);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  Call take(std::size_t index);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace postern::io
