#pragma once

#include <string>
#include <string_view>

#include "app/configuration.h"
#include "base/ip.h"
#include "settings/section.h"

/// Readers of single values of the configuration. Pure.
namespace postern::app {

using settings::object;
using settings::Objection;
using settings::Parsed;

/// "192.0.2.1:25" or "[2001:db8::1]:25"; the port must be there (0: any free one).
Parsed<Endpoint> parse_listen(std::string_view text);
/// The same, or nothing.
Parsed<std::optional<Endpoint>> parse_http_listen(std::string_view text);
/// An address with or without port; the port defaults to 53.
Parsed<Endpoint> parse_dns_server(std::string_view text);
/// "192.0.2.0/24", or a lone address.
Parsed<IpNetwork> parse_network(std::string_view text);
/// The same for networks that may relay; refuses one that holds every address.
Parsed<IpNetwork> parse_relay_network(std::string_view text);
/// "example.com", or ".example.com"; lower case.
Parsed<std::string> parse_domain(std::string_view text);
/// The same, or "*".
Parsed<std::string> parse_route_domain(std::string_view text);
/// A host name of at least one label, lower case.
Parsed<std::string> parse_hostname(std::string_view text);
/// "local-part@domain".
Parsed<std::string> parse_mailbox(std::string_view text);
/// "smtp://host:port" or "lmtp://host:port".
Parsed<NextHop> parse_next_hop(std::string_view text);
/// A delay of delivery, 1 s to 7 days.
Parsed<Duration> parse_delay(std::string_view text);
/// A file that can be read.
Parsed<std::string> parse_readable_file(std::string_view text);
/// A path that begins at the root, since a server's working directory is nobody's choice.
Parsed<std::string> parse_absolute_path(std::string_view text);

}  // namespace postern::app
