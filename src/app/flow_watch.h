#pragma once

#include <memory>

#include "base/result.h"
#include "lab/flow.h"

namespace postern::app {

/// Lets the flow, which has started, happen while it is drawn on the terminal: `speed` of virtual
/// time for each second, until it is over.
Result<> watch_flow(lab::Flow& flow, Duration speed);

}  // namespace postern::app
