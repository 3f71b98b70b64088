#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

/// An IPv4 or IPv6 address. Always held as 16 bytes, IPv4 as ::ffff:a.b.c.d, so that an IPv4-mapped
/// IPv6 address *is* the IPv4 address: one client has one identity, whatever socket it came by.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  static IpAddress from_v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress from_v6(const std::array<std::uint8_t, 16>& bytes) { return IpAddress(bytes); }
  /// Dotted quad or RFC 4291 text, without zone or brackets; nullopt for anything else.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  /// The last four bytes. Only for is_v4().
  [[nodiscard]] std::array<std::uint8_t, 4> v4_bytes() const;
  /// "192.0.2.7" or "2001:db8::25" (RFC 5952).
  [[nodiscard]] std::string text() const;
  /// RFC 5321 section 4.1.3: the address literal "[192.0.2.7]" or "[IPv6:2001:db8::25]".
  [[nodiscard]] std::string literal() const;
  /// The name to ask for PTR, without a trailing dot: "7.2.0.192.in-addr.arpa", or nibbles under
  /// ip6.arpa.
  [[nodiscard]] std::string reverse_name() const;

  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_link_local() const;
  /// RFC 1918, RFC 6598 shared and RFC 4193 unique local addresses.
  [[nodiscard]] bool is_private() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  explicit constexpr IpAddress(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address block in CIDR form.
class IpNetwork {
 public:
  /// "192.0.2.0/24", "2001:db8::/32", or a lone address. nullopt when it is not one, the prefix is
  /// too long, or bits beyond the prefix are set (then the operator meant something else).
  static std::optional<IpNetwork> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string text() const;
  /// Of the 16-byte form: 120 for an IPv4 network /24.
  [[nodiscard]] int prefix_bits() const { return prefix_bits_; }
  bool operator==(const IpNetwork&) const = default;

 private:
  IpAddress base_;
  int prefix_bits_ = 128;  // of the 16-byte form
};

/// An address and a TCP or UDP port.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// "192.0.2.7:25" or "[2001:db8::25]:25"
  [[nodiscard]] std::string text() const;
  static std::optional<Endpoint> parse(std::string_view text);
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace postern

template <>
struct std::hash<postern::IpAddress> {
  std::size_t operator()(const postern::IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(std::string_view(
        reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()));
  }
};
