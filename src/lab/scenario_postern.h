#pragma once

#include "lab/scenario.h"
#include "settings/section.h"

namespace postern::lab {

/// Reads [server.postern]: what the configuration file of a real Postern would say, as far as
/// scenarios need it.
void read_postern(settings::Section& section, ScenarioServer& server);

}  // namespace postern::lab
