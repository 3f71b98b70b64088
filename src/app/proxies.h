#pragma once

#include "app/configuration.h"
#include "settings/section.h"

namespace postern::app {

/// Reads [proxies].
void read_proxies(settings::Section section, Configuration::Proxies& proxies);

/// Reads what [unknown_ip] says of known hosts.
void read_known_hosts(settings::Section& unknown_ip, Configuration::UnknownIp& into);

}  // namespace postern::app
