#include "ledger/tracker.h"

#include "base/text.h"

namespace postern::ledger {
namespace {

std::size_t key_of(const Attempt& attempt) {
  const std::hash<std::string> hash;
  return hash(to_lower(attempt.sender)) * 31 + hash(to_lower(attempt.recipient));
}

}  // namespace

void Tracker::add(const Attempt& attempt) {
  if (Deferral* deferral = find(attempt)) {
    note(*deferral, attempt);
    return;
  }
  if (!attempt.accepted) begin(attempt);
}

// The newest: when two messages are under way between the same two, attempts cannot be told apart.
Deferral* Tracker::find(const Attempt& attempt) {
  const auto [first, last] = open_.equal_range(key_of(attempt));
  auto newest = last;
  for (auto place = first; place != last; ++place)
    if (belongs_to(deferrals_[place->second], attempt, profiles_) &&
        (newest == last || place->second > newest->second))
      newest = place;
  if (newest == last) return nullptr;
  Deferral* found = &deferrals_[newest->second];
  if (attempt.accepted) open_.erase(newest);
  return found;
}

void Tracker::begin(const Attempt& attempt) {
  if (deferrals_.size() >= deferrals_max) {
    ++forgotten_;
    return;
  }
  deferrals_.push_back(deferral_of(attempt));
  open_.emplace(key_of(attempt), deferrals_.size() - 1);
}

}  // namespace postern::ledger
