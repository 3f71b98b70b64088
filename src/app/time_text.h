#pragma once

#include <string>

#include "base/time.h"

namespace postern::app {

// How times stand in what people read. All pure, all in UTC.
/// "2026-11-24 03:25"
std::string minute_text(WallTime time);
/// "2026-11-24 03:25:53"
std::string second_text(WallTime time);
/// "in 4m12s", or "now" when it has passed.
std::string time_until(WallTime time, WallTime now);
/// "2h12m ago", or "now".
std::string time_since(WallTime time, WallTime now);
/// Whichever of the two fits.
std::string time_from(WallTime time, WallTime now);
/// Whole seconds: nobody reads the rest.
std::string rounded(Duration duration);

}  // namespace postern::app
