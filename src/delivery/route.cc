#include "delivery/route.h"

#include <charconv>
#include <fmt/format.h>

#include "base/ip.h"
#include "base/text.h"
#include "mail/address.h"

namespace postern::delivery {
namespace {

constexpr std::string_view scheme_end = "://";

std::unexpected<Error> wrong(std::string_view text, std::string_view why) {
  return operator_failure(
      Cause::other,
      fmt::format("next hop \"{}\": {}; write it as \"smtp://host:port\" or \"lmtp://host:port\"",
                  printable(text), why));
}

// "host", "host:port", "[v6]" or "[v6]:port"
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool bracketed = false;
  bool ok = true;
};
HostPort split(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {.host = text, .port = {}, .ok = false};
    const auto rest = text.substr(end + 1);
    const bool ok = rest.empty() || rest.starts_with(':');
    return {text.substr(1, end - 1), rest.empty() ? rest : rest.substr(1), true, ok && rest != ":"};
  }
  const auto colon = text.find(':');
  // More than one colon: an IPv6 address without brackets, whose end nobody can tell.
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return {.host = text, .port = {}};
  return {text.substr(0, colon), text.substr(colon + 1), false, colon + 1 < text.size()};
}

std::string name_of(const std::vector<NextHop>& next_hops) {
  std::string name;
  for (const NextHop& hop : next_hops) {
    if (!name.empty()) name += ',';
    name += hop.text();
  }
  return name;
}

}  // namespace

std::string NextHop::text() const {
  const bool v6 = host.contains(':');
  return fmt::format("{}://{}{}{}:{}", protocol == smtp::ClientProtocol::lmtp ? "lmtp" : "smtp",
                     v6 ? "[" : "", host, v6 ? "]" : "", port);
}

Result<NextHop> parse_next_hop(std::string_view text) {
  NextHop hop;
  const auto scheme_length = text.find(scheme_end);
  const auto scheme = text.substr(0, scheme_length);
  if (scheme_length == std::string_view::npos) return wrong(text, "the protocol is missing");
  if (scheme == "lmtp") {
    hop.protocol = smtp::ClientProtocol::lmtp;
    hop.port = 24;
  } else if (scheme != "smtp") {
    return wrong(text, fmt::format("\"{}\" is no protocol we speak", printable(scheme)));
  }
  const HostPort parts = split(text.substr(scheme_length + scheme_end.size()));
  if (!parts.ok || parts.host.empty()) return wrong(text, "the host or the port is missing");
  const auto address = IpAddress::parse(parts.host);
  if (parts.bracketed && !address) return wrong(text, "there is no address in the brackets");
  const bool bare_v6 = !parts.bracketed && parts.host.contains(':');
  if (bare_v6 || (!address && !mail::is_domain(parts.host)))
    return wrong(text, "the host is neither a name nor an address (IPv6 needs brackets)");
  hop.host = address ? address->text() : to_lower(parts.host);
  if (parts.port.empty()) return hop;
  const auto [stop, error] = std::from_chars(parts.port.begin(), parts.port.end(), hop.port);
  if (error != std::errc{} || stop != parts.port.end() || hop.port == 0)
    return wrong(text, "the port is not a number from 1 to 65535");
  return hop;
}

Result<Route> parse_route(std::string_view domain, const std::vector<std::string>& next_hops) {
  const auto name = domain.starts_with('.') ? domain.substr(1) : domain;
  if (domain != "*" && !mail::is_domain(name) && !mail::is_address_literal(domain))
    return operator_failure(
        Cause::other,
        fmt::format("route for \"{}\": write a domain, \".domain\" for all names below it, or "
                    "\"*\" for everything else",
                    printable(domain)));
  if (next_hops.empty())
    return operator_failure(Cause::other,
                            fmt::format("route for \"{}\": name at least one next hop, such as "
                                        "\"smtp://192.0.2.1:25\"",
                                        printable(domain)));
  Route route;
  route.domain =
      domain.starts_with('.') ? "." + mail::normalize_domain(name) : mail::normalize_domain(domain);
  for (const std::string& text : next_hops) {
    TRY(NextHop hop, parse_next_hop(text));
    route.next_hops.push_back(std::move(hop));
  }
  return route;
}

RouteTable::RouteTable(const std::vector<Route>& routes) {
  for (const Route& route : routes) {
    routes_.try_emplace(route.domain, route);
    limits_.try_emplace(name_of(route.next_hops), route.limits);
  }
}

const Route* RouteTable::find(std::string_view domain) const {
  if (routes_.empty()) return nullptr;
  if (const auto exact = routes_.find(domain); exact != routes_.end()) return &exact->second;
  for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
    if (const auto below = routes_.find(domain.substr(dot)); below != routes_.end())
      return &below->second;
  const auto any = routes_.find("*");
  return any == routes_.end() ? nullptr : &any->second;
}

std::string RouteTable::destination_of(std::string_view domain) const {
  const Route* route = find(domain);
  return route == nullptr ? std::string(domain) : name_of(route->next_hops);
}

const RouteLimits* RouteTable::limits_of(std::string_view destination) const {
  if (const auto at = limits_.find(destination); at != limits_.end()) return &at->second;
  if (!next_hops_of(destination).empty()) return nullptr;
  const Route* route = find(destination);
  return route == nullptr ? nullptr : &route->limits;
}

std::vector<NextHop> next_hops_of(std::string_view destination) {
  std::vector<NextHop> hops;
  if (!destination.contains(scheme_end)) return hops;
  while (!destination.empty()) {
    const auto one = destination.substr(0, destination.find(','));
    if (auto hop = parse_next_hop(one)) hops.push_back(*std::move(hop));
    destination.remove_prefix(std::min(destination.size(), one.size() + 1));
  }
  return hops;
}

}  // namespace postern::delivery
