#pragma once

#include "app/command_line.h"

namespace postern::app {

/// `postern lab list`, `show`, `profiles`, `run` and `check`: mail flows in virtual time.
ExitCode lab_list(const Arguments& arguments);
ExitCode lab_show(const Arguments& arguments);
ExitCode lab_profiles(const Arguments& arguments);
ExitCode lab_run(const Arguments& arguments);
ExitCode lab_check(const Arguments& arguments);

}  // namespace postern::app
