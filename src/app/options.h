#pragma once

#include "app/configuration.h"
#include "app/log_sink.h"
#include "server/server.h"

namespace postern::app {

/// What the configuration says, in the terms of each room. `tls` and the queue's members stay as
/// they are by default. Error: a route that delivery does not take.
Result<server::ServerOptions> server_options(const Configuration& configuration);
LogOptions log_options(const Configuration& configuration);
policy::UnknownIpOptions unknown_ip_options(const Configuration::UnknownIp& unknown_ip);

}  // namespace postern::app
