#pragma once

#include "app/command_line.h"

namespace postern::app {

/// `postern explain`: one case as it was recorded, or one client as the check finds it now, and
/// what everybody would see of it.
ExitCode explain(const Arguments& arguments);

}  // namespace postern::app
