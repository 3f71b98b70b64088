#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "smtp/command.h"
#include "smtp/reply.h"

namespace postern::smtp {

/// What XCLIENT says of the client whom a proxy speaks for (Postfix's XCLIENT_README). What is not
/// said, or said to be unavailable, is absent; an address that is said is never unavailable.
struct ClientAttributes {
  std::optional<IpAddress> address = std::nullopt;
  std::optional<std::uint16_t> port = std::nullopt;
  std::string name = {};  ///< as the proxy sees it; printable, not confirmed by anybody
  /// Empty when it is said that there is none.
  std::optional<std::string> helo = std::nullopt;
  std::optional<std::string> login = std::nullopt;
  std::optional<Greeting> protocol = std::nullopt;  ///< helo for SMTP, ehlo for ESMTP

  bool operator==(const ClientAttributes&) const = default;
};

/// What XFORWARD says of where the next message came from, for the log only (XFORWARD_README).
/// Printable text, as it was said; empty: not said, or unavailable.
struct ForwardedClient {
  std::string name;
  std::string address;
  std::string port;
  std::string protocol;
  std::string helo;
  std::string ident;   ///< the queue id that the message had there
  std::string source;  ///< LOCAL or REMOTE

  bool operator==(const ForwardedClient&) const = default;
};

/// Attribute names as EHLO announces them.
inline constexpr std::string_view xclient_attributes =
    "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME";
inline constexpr std::string_view xforward_attributes = "NAME ADDR PORT PROTO HELO IDENT SOURCE";

/// NAME and HELO have at most 255 characters, says XCLIENT_README; so has here every other value.
inline constexpr std::size_t attribute_bytes_max = 255;

/// Each takes the argument of its command; the error is the reply that it deserves.
std::expected<ClientAttributes, Reply> parse_xclient(std::string_view argument);
/// Attributes that are not said keep what `into` has of an XFORWARD before; nothing changes on an
/// error.
std::expected<ForwardedClient, Reply> parse_xforward(std::string_view argument,
                                                     ForwardedClient into);

}  // namespace postern::smtp
