#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "ledger/recorder.h"

namespace postern::ledger {

using Event = std::variant<Refusal, Acceptance>;

/// What sessions told, until it is written. What is cleared leaves its room to what comes: texts
/// are swapped, so that the thread that made them frees them too; memory that is freed by another
/// thread than made it costs both.
class EventBatch {
 public:
  /// Of events whose room is kept, some 700 bytes each: four times as many as there were, within
  /// these bounds, so that a flood does not leave its room behind.
  static constexpr std::size_t room_min = 250, room_max = 10'000;

  void add(Event event) {
    if (count_ < slots_.size())
      slots_[count_] = std::move(event);
    else
      slots_.push_back(std::move(event));
    ++count_;
  }
  /// Lets go of the lookups, and of room that is not wanted any more.
  void clear() {
    for (std::size_t i = 0; i < count_; ++i)
      if (auto* const refusal = std::get_if<Refusal>(&slots_[i])) refusal->lookups.reset();
    const std::size_t room = std::clamp(4 * count_, room_min, room_max);
    count_ = 0;
    if (slots_.size() <= room) return;
    slots_.resize(room);
    slots_.shrink_to_fit();
  }

  [[nodiscard]] std::span<const Event> events() const { return {slots_.data(), count_}; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t room() const { return slots_.size(); }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::vector<Event> slots_;
  std::size_t count_ = 0;
};

}  // namespace postern::ledger
