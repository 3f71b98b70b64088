#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ledger/deferral.h"
#include "ledger/open_deferrals.h"

namespace postern::ledger {

/// Puts attempts together to deferrals, in memory. Attempts are given in the order of their time,
/// or nearly: one that is older than the last counts all the same.
class Tracker {
 public:
  static constexpr std::size_t deferrals_max = 1'000'000;

  /// `profiles` outlives it.
  explicit Tracker(const upstream::Profiles& profiles = upstream::shipped_profiles_read())
      : profiles_(profiles) {}

  /// A refusal begins a deferral or belongs to one; an acceptance ends one, or means nothing. An
  /// attempt that would be one deferral too many is counted and forgotten.
  void add(const Attempt& attempt);

  /// In the order in which they began.
  [[nodiscard]] const std::vector<Deferral>& deferrals() const { return deferrals_; }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  void begin(const Attempt& attempt, const OpenDeferrals::Keys& keys);

  const upstream::Profiles& profiles_;
  std::vector<Deferral> deferrals_;
  OpenDeferrals open_{static_cast<std::size_t>(-1)};  ///< ids are places in `deferrals_`
  std::uint64_t forgotten_ = 0;
};

}  // namespace postern::ledger
