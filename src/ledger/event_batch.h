#pragma once

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
  static constexpr std::size_t room_max = 10'000;  ///< events whose room is kept, 600 bytes each

  void add(Event event) {
    if (count_ < slots_.size())
      slots_[count_] = std::move(event);
    else
      slots_.push_back(std::move(event));
    ++count_;
  }
  /// Lets go of the lookups, and of room beyond `room_max`.
  void clear() {
    for (std::size_t i = 0; i < count_; ++i)
      if (auto* const refusal = std::get_if<Refusal>(&slots_[i])) refusal->lookups.reset();
    count_ = 0;
    if (slots_.size() <= room_max) return;
    slots_.resize(room_max);
    slots_.shrink_to_fit();
  }

  [[nodiscard]] std::span<const Event> events() const { return {slots_.data(), count_}; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::vector<Event> slots_;
  std::size_t count_ = 0;
};

}  // namespace postern::ledger
