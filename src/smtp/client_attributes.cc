#include "smtp/client_attributes.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "smtp/xtext.h"

namespace postern::smtp {
namespace {

constexpr EnhancedStatus bad_argument{5, 5, 4};
constexpr std::string_view v6_prefix = "IPV6:";

struct Attribute {
  std::string_view name;
  std::string value;  ///< empty: unavailable
};

Reply bad_attribute(std::string_view name) {
  return {501, bad_argument, "Bad value of attribute " + std::string(name)};
}

/// The next NAME=value, decoded, taken off the front.
std::expected<Attribute, Reply> take_attribute(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest = trim(rest.substr(word.size()));
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const bool named =
      !name.empty() && std::ranges::all_of(name, [](char c) { return ascii_alpha(c) || c == '_'; });
  if (equals == std::string_view::npos || !named)
    return std::unexpected(Reply(501, bad_argument, "An attribute is not in the form NAME=value"));
  auto value = decode_xtext(word.substr(equals + 1));
  // Neither a log line nor a header field may be broken up by it.
  if (!value || value->empty() || value->size() > attribute_bytes_max ||
      !std::ranges::all_of(*value, ascii_printable))
    return std::unexpected(bad_attribute(name));
  if (equal_ignoring_case(*value, "[UNAVAILABLE]") || equal_ignoring_case(*value, "[TEMPUNAVAIL]"))
    value->clear();
  return Attribute{name, *std::move(value)};
}

/// An IPv4 address, or an IPv6 address behind "IPV6:".
std::optional<IpAddress> parse_address(std::string_view text) {
  const bool v6 = starts_with_ignoring_case(text, v6_prefix);
  if (v6) text.remove_prefix(v6_prefix.size());
  return text.contains(':') == v6 ? IpAddress::parse(text) : std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(port)
                                                                  : std::nullopt;
}

/// Takes XCLIENT's attributes one after the other; of one that comes twice the last counts.
class Xclient {
 public:
  explicit Xclient(ClientAttributes& into) : into_(into) {}

  /// False: the value is none of this attribute's. nullopt: there is no such attribute.
  std::optional<bool> take(const Attribute& attribute) {
    const auto is = [&attribute](std::string_view name) {
      return equal_ignoring_case(attribute.name, name);
    };
    if (is("NAME")) return name(attribute.value);
    // Nobody stays whom the proxy spoke for before, and a client without an address can be neither
    // checked nor limited.
    if (is("ADDR")) return address(attribute.value, into_.address) && into_.address;
    if (is("PORT")) return port(attribute.value, into_.port);
    if (is("PROTO")) return protocol(attribute.value);
    if (is("HELO")) return helo(attribute.value);
    if (is("LOGIN")) return login(attribute.value);
    // What the client connected to, and a name that nobody looked up, decide nothing here.
    std::optional<IpAddress> any_address;
    std::optional<std::uint16_t> any_port;
    if (is("DESTADDR")) return address(attribute.value, any_address);
    if (is("DESTPORT")) return port(attribute.value, any_port);
    if (is("REVERSE_NAME")) return true;
    return std::nullopt;
  }

 private:
  bool name(const std::string& value) {
    into_.name = value;
    return true;
  }
  static bool address(const std::string& value, std::optional<IpAddress>& into) {
    into = parse_address(value);
    return value.empty() || into.has_value();
  }
  static bool port(const std::string& value, std::optional<std::uint16_t>& into) {
    into = parse_port(value);
    return value.empty() || into.has_value();
  }
  bool protocol(const std::string& value) {
    const bool extended = equal_ignoring_case(value, "ESMTP");
    into_.protocol = extended ? Greeting::ehlo : Greeting::helo;
    return extended || equal_ignoring_case(value, "SMTP");
  }
  bool helo(const std::string& value) {
    into_.helo = value;
    return value.empty() || parse_helo(value).has_value();
  }
  bool login(const std::string& value) {
    into_.login = value;
    return true;
  }

  ClientAttributes& into_;
};

std::string* forwarded_field(ForwardedClient& client, std::string_view name) {
  const std::pair<std::string_view, std::string*> fields[] = {
      {"NAME", &client.name},    {"ADDR", &client.address},   {"PORT", &client.port},
      {"HELO", &client.helo},    {"PROTO", &client.protocol}, {"IDENT", &client.ident},
      {"SOURCE", &client.source}};
  for (const auto& [field, into] : fields)
    if (equal_ignoring_case(name, field)) return into;
  return nullptr;
}

Reply unknown_attribute(std::string_view name) {
  return {501, bad_argument, "Attribute " + std::string(name) + " is not supported"};
}

Reply no_attributes(std::string_view verb) {
  return {501, bad_argument, "Syntax: " + std::string(verb) + " NAME=value..."};
}

}  // namespace

std::expected<ClientAttributes, Reply> parse_xclient(std::string_view argument) {
  ClientAttributes client;
  Xclient attributes(client);
  std::string_view rest = trim(argument);
  if (rest.empty()) return std::unexpected(no_attributes("XCLIENT"));
  while (!rest.empty()) {
    const auto attribute = take_attribute(rest);
    if (!attribute) return std::unexpected(attribute.error());
    const auto good = attributes.take(*attribute);
    if (!good) return std::unexpected(unknown_attribute(attribute->name));
    if (!*good) return std::unexpected(bad_attribute(attribute->name));
  }
  return client;
}

std::expected<ForwardedClient, Reply> parse_xforward(std::string_view argument,
                                                     ForwardedClient into) {
  std::string_view rest = trim(argument);
  if (rest.empty()) return std::unexpected(no_attributes("XFORWARD"));
  while (!rest.empty()) {
    const auto attribute = take_attribute(rest);
    if (!attribute) return std::unexpected(attribute.error());
    std::string* const field = forwarded_field(into, attribute->name);
    if (field == nullptr) return std::unexpected(unknown_attribute(attribute->name));
    *field = attribute->value;
  }
  return into;
}

}  // namespace postern::smtp
