#include "io/timer_queue.h"

#include <utility>

#include "base/check.h"

namespace postern::io {
namespace {

constexpr int slot_bits = 20;
constexpr std::uint64_t slot_mask = (std::uint64_t{1} << slot_bits) - 1;
static_assert(TimerQueue::timers_max == slot_mask + 1);

}  // namespace

TimerQueue::Id TimerQueue::add(SteadyTime time, Call call, std::uint32_t owner) {
  std::uint32_t slot = 0;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    CHECK(slots_.size() < timers_max);
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  const std::uint64_t sequence = next_sequence_++;
  slots_[slot].sequence = sequence;
  slots_[slot].owner = owner;
  slots_[slot].call = std::move(call);
  heap_.push_back(Entry{time, sequence, slot});
  place(heap_.size() - 1, heap_.back());
  sift_up(heap_.size() - 1);
  return sequence << slot_bits | slot;
}

void TimerQueue::cancel(Id id) {
  const std::uint64_t slot = id & slot_mask;
  if (slot >= slots_.size() || slots_[slot].sequence != id >> slot_bits) return;
  if (slots_[slot].sequence == 0) return;
  // The call is destroyed after the queue is whole again: its captures may cancel other timers.
  const Call dropped = take(slots_[slot].heap_index);
}

void TimerQueue::cancel_owner(std::uint32_t owner) {
  std::vector<Id> ids;
  for (const Entry& entry : heap_) {
    if (slots_[entry.slot].owner == owner) ids.push_back(entry.sequence << slot_bits | entry.slot);
  }
  for (const Id id : ids) cancel(id);
}

void TimerQueue::clear() {
  while (!heap_.empty()) const Call dropped = take(0);
}

std::optional<SteadyTime> TimerQueue::earliest() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().time;
}

TimerQueue::Call TimerQueue::pop_due(SteadyTime now, std::uint64_t sequence_end) {
  if (heap_.empty() || heap_.front().time > now || heap_.front().sequence >= sequence_end) {
    return {};
  }
  return take(0);
}

void TimerQueue::place(std::size_t index, Entry entry) {
  heap_[index] = entry;
  slots_[entry.slot].heap_index = static_cast<std::uint32_t>(index);
}

void TimerQueue::sift_up(std::size_t index) {
  const Entry entry = heap_[index];
  while (index > 0 && entry < heap_[(index - 1) / 2]) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  place(index, entry);
}

void TimerQueue::sift_down(std::size_t index) {
  const Entry entry = heap_[index];
  while (2 * index + 1 < heap_.size()) {
    std::size_t child = 2 * index + 1;
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
    if (entry < heap_[child]) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

TimerQueue::Call TimerQueue::take(std::size_t index) {
  const std::uint32_t slot = heap_[index].slot;
  Call call = std::move(slots_[slot].call);
  slots_[slot].call = nullptr;
  slots_[slot].sequence = 0;
  free_slots_.push_back(slot);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index < heap_.size()) {
    place(index, last);
    sift_up(index);
    sift_down(slots_[last.slot].heap_index);
  }
  return call;
}

}  // namespace postern::io
