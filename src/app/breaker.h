#pragma once

#include "app/configuration.h"
#include "settings/section.h"

namespace postern::app {

/// Reads [unknown_ip.breaker].
void read_breaker(settings::Section section, Configuration::UnknownIp& unknown_ip);

}  // namespace postern::app
