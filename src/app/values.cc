#include "app/values.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include "base/text.h"

namespace postern::app {
namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t smtp_port = 25;
constexpr std::uint16_t lmtp_port = 24;

std::string quoted(std::string_view text) {
  return "\"" + printable(text, 100) + "\"";
}

bool is_label(std::string_view label) {
  // RFC 1035 section 2.3.4: a label holds 63 octets at most.
  constexpr std::size_t label_length_max = 63;
  return !label.empty() && label.size() <= label_length_max && label.front() != '-' &&
         label.back() != '-' &&
         std::ranges::all_of(label, [](char c) { return ascii_alnum(c) || c == '-' || c == '_'; });
}

bool is_host_name(std::string_view name) {
  // RFC 1035 section 2.3.4: a name holds 255 octets on the wire, 253 as text.
  constexpr std::size_t name_length_max = 253;
  if (name.empty() || name.size() > name_length_max) return false;
  while (true) {
    const auto dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::string advice_for_name(std::string_view text) {
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return "write the name in its ASCII form, which begins with xn--";
  if (text.ends_with('.')) return "leave out the dot at the end";
  if (text.starts_with("*.")) return fmt::format("write \"{}\" for subdomains", text.substr(1));
  if (text.find('@') != std::string_view::npos) return "leave out the part up to the @";
  return "write a name such as \"example.com\"";
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

Parsed<Endpoint> parse_listen(std::string_view text) {
  if (const auto endpoint = Endpoint::parse(text)) return *endpoint;
  if (IpAddress::parse(text))
    return object(quoted(text) + " has no port",
                  fmt::format("write \"{}\"", Endpoint{*IpAddress::parse(text), smtp_port}.text()));
  return object(quoted(text) + " is not an address with a port",
                "write \"192.0.2.1:25\", \"[2001:db8::1]:25\", or \"0.0.0.0:25\" for all of IPv4");
}

Parsed<std::optional<Endpoint>> parse_http_listen(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (endpoint || text.empty()) return endpoint;
  return object(quoted(text) + " is not an address with a port",
                "write \"127.0.0.1:9125\", or \"\" to serve nothing");
}

Parsed<Endpoint> parse_dns_server(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return Endpoint{*address, dns_port};
  const auto endpoint = Endpoint::parse(text);
  if (endpoint && endpoint->port != 0) return *endpoint;
  return object(quoted(text) + " is not the address of a DNS server",
                "write \"127.0.0.1\", \"127.0.0.1:5353\" or \"[::1]:5353\"");
}

Parsed<IpNetwork> parse_network(std::string_view text) {
  if (const auto network = IpNetwork::parse(text)) return *network;
  return object(quoted(text) + " is not a network",
                "write \"192.0.2.0/24\" or \"2001:db8::/32\", with no bits set behind the prefix");
}

Parsed<IpNetwork> parse_relay_network(std::string_view text) {
  if (text.ends_with("/0"))
    return object(quoted(text) + " would let the whole Internet relay through this server",
                  "give the networks of your own clients only");
  return parse_network(text);
}

Parsed<std::string> parse_hostname(std::string_view text) {
  if (is_host_name(text) && !IpAddress::parse(text)) return to_lower(text);
  return object(quoted(text) + " is not a host name", advice_for_name(text));
}

Parsed<std::string> parse_domain(std::string_view text) {
  const std::string_view name = text.starts_with('.') ? text.substr(1) : text;
  if (text == "*")
    return object("\"*\" would relay mail for every domain",
                  "list the domains that this server takes mail for");
  if (is_host_name(name) && !IpAddress::parse(name)) return to_lower(text);
  return object(quoted(text) + " is not a domain", advice_for_name(text));
}

Parsed<std::string> parse_route_domain(std::string_view text) {
  if (text == "*") return std::string(text);
  return parse_domain(text);
}

Parsed<std::string> parse_mailbox(std::string_view text) {
  const auto at = text.rfind('@');
  const bool printable_only =
      std::ranges::all_of(text, [](char c) { return ascii_printable(c) && c != ' '; });
  if (at != std::string_view::npos && at > 0 && printable_only && is_host_name(text.substr(at + 1)))
    return std::string(text);
  return object(quoted(text) + " is not a mail address", "write one such as \"admin@example.com\"");
}

Parsed<NextHop> parse_next_hop(std::string_view text) {
  const std::string advice = "write \"smtp://192.0.2.1:25\" or \"lmtp://[::1]:24\"";
  NextHop hop;
  std::string_view rest = text;
  if (rest.starts_with("smtp://")) {
    hop.port = smtp_port;
  } else if (rest.starts_with("lmtp://")) {
    hop.protocol = NextHop::Protocol::lmtp;
    hop.port = lmtp_port;
  } else {
    return object(quoted(text) + " does not begin with smtp:// or lmtp://", advice);
  }
  rest.remove_prefix(std::string_view("smtp://").size());
  std::string_view host = rest;
  if (rest.starts_with('[')) {
    const auto bracket = rest.find(']');
    if (bracket == std::string_view::npos) return object(quoted(text) + " lacks a ]", advice);
    host = rest.substr(1, bracket - 1);
    rest.remove_prefix(bracket + 1);
    if (!IpAddress::parse(host)) return object(quoted(host) + " is not an IP address", advice);
  } else {
    host = rest.substr(0, rest.find(':'));
    rest.remove_prefix(host.size());
  }
  if (!rest.empty()) {
    const auto port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
    if (!port || *port == 0) return object(quoted(text) + " has a wrong port", advice);
    hop.port = *port;
  }
  if (!IpAddress::parse(host) && !is_host_name(host))
    return object(quoted(host) + " is neither a host name nor an IP address", advice);
  hop.host = to_lower(host);
  return hop;
}

Parsed<Duration> parse_delay(std::string_view text) {
  constexpr Duration delay_min = std::chrono::seconds(1);
  constexpr Duration delay_max = std::chrono::hours(7 * 24);
  const auto delay = parse_duration(text);
  if (delay && *delay >= delay_min && *delay <= delay_max) return *delay;
  return object(quoted(text) + (delay ? " is out of range" : " is not a duration"),
                "write delays from \"1s\" to \"7d\", such as \"5m\" or \"1h30m\"");
}

Parsed<std::string> parse_readable_file(std::string_view text) {
  std::string path(text);
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return object(fmt::format("there is no file {}", quoted(text)),
                  "correct the path, or put the file there");
  std::ifstream file(path);
  if (std::filesystem::is_directory(path, error) || !file.is_open() || (file.peek(), file.bad()))
    return object(fmt::format("the file {} cannot be read", quoted(text)),
                  "let the user that starts postern read it");
  return path;
}

Parsed<std::string> parse_absolute_path(std::string_view text) {
  if (text.starts_with('/') && text.find('\0') == std::string_view::npos) return std::string(text);
  return object(quoted(text) + " is not a full path", "write a path that begins with \"/\"");
}

std::string NextHop::text() const {
  const bool bracket = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", protocol == Protocol::smtp ? "smtp" : "lmtp",
                     bracket ? "[" : "", host, bracket ? "]" : "", port);
}

}  // namespace postern::app
