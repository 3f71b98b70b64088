#include "app/proxies.h"

#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

using namespace std::chrono_literals;
using settings::Section;

constexpr std::size_t networks_max = 1000;

/// Whoever is in it is believed about who other people are, so that it cannot be everybody.
Parsed<IpNetwork> parse_trusted_network(std::string_view text) {
  if (text.ends_with("/0"))
    return object("\"" + printable(text, 40) + "\" would have everybody say who they are",
                  "give the networks of your own servers only");
  return parse_network(text);
}

}  // namespace

void read_proxies(Section section, Configuration::Proxies& proxies) {
  section.list("proxy_protocol", proxies.proxy_protocol, networks_max, parse_trusted_network);
  section.duration("header_timeout", proxies.header_timeout, 100ms, 60s);
  section.list("xclient", proxies.xclient, networks_max, parse_trusted_network);
  section.list("xforward", proxies.xforward, networks_max, parse_trusted_network);
  section.finish();
}

void read_known_hosts(Section& unknown_ip, Configuration::UnknownIp& into) {
  using policy::KnownHostsDecide;
  unknown_ip.list("known_hosts", into.known_hosts, networks_max, parse_trusted_network);
  unknown_ip.choice("known_hosts_decide", into.known_hosts_decide,
                    {{"record", KnownHostsDecide::record}, {"refuse", KnownHostsDecide::refuse}});
}

}  // namespace postern::app
