#include "ledger/tracker.h"

namespace postern::ledger {

void Tracker::add(const Attempt& attempt) {
  const auto deferral = [this](OpenDeferrals::Id id) -> Deferral& {
    return deferrals_[static_cast<std::size_t>(id)];
  };
  const OpenDeferrals::Keys keys = OpenDeferrals::keys_of(attempt);
  const auto found = open_.find(keys, [&](OpenDeferrals::Id id) {
    return !deferral(id).accepted && belongs_to(deferral(id), attempt, profiles_);
  });
  if (found) {
    note(deferral(*found), attempt);
    if (!attempt.accepted) open_.add(*found, keys);
  } else if (!attempt.accepted) {
    begin(attempt, keys);
  }
}

void Tracker::begin(const Attempt& attempt, const OpenDeferrals::Keys& keys) {
  if (deferrals_.size() >= deferrals_max) {
    ++forgotten_;
    return;
  }
  open_.add(static_cast<OpenDeferrals::Id>(deferrals_.size()), keys);
  deferrals_.push_back(deferral_of(attempt));
}

}  // namespace postern::ledger
