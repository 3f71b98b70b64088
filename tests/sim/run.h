#pragma once

#include "history.h"
#include "plan.h"
#include "town.h"

namespace postern::sim {

struct RunOptions {
  StoreMaker make_store = nullptr;
  Shown shown = Shown::nothing;
};

/// Lets a town live through its plan: faults, then none until everything is over, at most
/// healing_time(); and what was seen.
History run(const Plan& plan, RunOptions options = {});

/// Longer than every timeout on the way and the pauses that may still follow the last fault.
Duration healing_time(const Plan& plan, const History& history);

}  // namespace postern::sim
