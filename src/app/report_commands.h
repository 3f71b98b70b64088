#pragma once

#include "app/command_line.h"

namespace postern::app {

ExitCode reports_template(const Arguments& arguments);
ExitCode reports_preview(const Arguments& arguments);

}  // namespace postern::app
