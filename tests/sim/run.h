#pragma once

#include "history.h"
#include "plan.h"
#include "town.h"

namespace postern::sim {

/// Lets a town live through its plan: faults, then none until everything is over, at most
/// healing_time; and what was seen.
History run(const Plan& plan, StoreMaker make_store = nullptr);

/// Longer than the longest pause of a sender plus every timeout on the way, twice.
constexpr Duration healing_time = std::chrono::hours(2);

}  // namespace postern::sim
