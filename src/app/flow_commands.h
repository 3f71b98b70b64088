#pragma once

#include "app/command_line.h"

namespace postern::app {

/// `postern lab list`, `show`, `profiles` and `run`: mail flows in virtual time.
ExitCode lab_list(const Arguments& arguments);
ExitCode lab_show(const Arguments& arguments);
ExitCode lab_profiles(const Arguments& arguments);
ExitCode lab_run(const Arguments& arguments);

}  // namespace postern::app
