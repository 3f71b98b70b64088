#pragma once

#include "app/command_line.h"

namespace postern::app {

/// `postern demo`: tells the story of the option on a little world of its own, and ends.
ExitCode demo(const Arguments& arguments);

/// `postern play`: starts the same little world as a server, prints its ports, shows each letter
/// that arrives, and ends at SIGTERM or SIGINT.
ExitCode play(const Arguments& arguments);

}  // namespace postern::app
