#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"

namespace postern::mail {

/// RFC 5321 section 4.5.3.1.2: a domain has at most 255 octets.
inline constexpr std::size_t domain_bytes_max = 255;
/// RFC 1035 section 2.3.4: a label has at most 63 octets.
inline constexpr std::size_t label_bytes_max = 63;
/// RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, its brackets and separators included.
inline constexpr std::size_t path_bytes_max = 256;
/// RFC 5321 section 4.5.3.1.1: at least 64 octets. More are accepted, as that section asks for
/// where it is possible (bounce addresses that carry the recipient are often longer); the path's
/// bound is what ends it.
inline constexpr std::size_t local_part_bytes_max = path_bytes_max - 4;

/// RFC 5321 section 4.1.2: Mailbox. Immutable once parsed.
struct Mailbox {
  std::string local_part;  ///< as given, with its quotes
  std::string domain;  ///< as given; an address literal with its brackets; empty for "postmaster"

  /// "local-part@domain", or "postmaster".
  [[nodiscard]] std::string address() const;
  /// The local part that is meant: quotes and backslashes of quoting removed.
  [[nodiscard]] std::string local_part_value() const;
  /// RFC 5321 section 4.5.1: "postmaster" in any case, quoted or not.
  [[nodiscard]] bool is_postmaster() const;
  bool operator==(const Mailbox&) const = default;
};

enum class AddressError : std::uint8_t {
  syntax,
  too_long,   ///< a bound above was passed
  non_ascii,  ///< RFC 6531 would be needed, which is not offered
};

/// A path at the start of a text.
struct Path {
  Mailbox mailbox;
  bool null = false;       ///< "<>"; the mailbox is empty then
  std::size_t length = 0;  ///< how many bytes of the text it took
};

/// RFC 5321 section 4.1.2: the whole text is a Mailbox, without brackets.
std::expected<Mailbox, AddressError> parse_mailbox(std::string_view text);
/// RFC 5321 section 4.1.2: Reverse-path, "<...>" or "<>"; text after it is the caller's.
std::expected<Path, AddressError> parse_reverse_path(std::string_view text);
/// RFC 5321 section 4.1.1.3: Forward-path, "<...>"; also "<postmaster>" without a domain.
/// RFC 5321 section 4.1.2: a source route before the mailbox is accepted, checked and dropped.
std::expected<Path, AddressError> parse_forward_path(std::string_view text);

/// RFC 5321 section 4.1.2: Domain, with the underscore that real names carry.
bool is_domain(std::string_view text);
/// RFC 5321 section 4.1.3: "[192.0.2.7]" or "[IPv6:2001:db8::25]" as an address.
std::optional<IpAddress> parse_address_literal(std::string_view text);
/// RFC 5321 section 4.1.3: any address literal, also with a tag that nobody has registered yet.
bool is_address_literal(std::string_view text);

/// What stands behind the last "@" of an envelope address; empty when there is none. A view into
/// `address`.
std::string_view domain_of(std::string_view address);
/// The part before it. A view into `address`.
std::string_view local_part_of(std::string_view address);

/// The form in which domains are compared: lower case, without a trailing dot; RFC 5890: U-labels
/// (UTF-8) as A-labels. Text that is no domain comes back in lower case.
std::string normalize_domain(std::string_view domain);

}  // namespace postern::mail
