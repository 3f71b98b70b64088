#pragma once

#include "app/command_line.h"

namespace postern::app {

// Looking at a running server.

/// `postern status`
ExitCode status(const Arguments& arguments);
/// `postern top`
ExitCode top(const Arguments& arguments);

}  // namespace postern::app
