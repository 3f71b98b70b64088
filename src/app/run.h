#pragma once

#include "app/command_line.h"

namespace postern::app {

/// `postern run`: the server, until a signal ends it. What keeps it from starting is told on
/// standard error, with what to do.
ExitCode run(const Arguments& arguments);

}  // namespace postern::app
