#include "base/ip.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

#include "base/check.h"

namespace postern {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t address_text_max = 45;

using Blocks = std::vector<IpNetwork>;

Blocks blocks(std::initializer_list<std::string_view> texts) {
  Blocks parsed;
  for (const std::string_view text : texts) {
    const auto block = IpNetwork::parse(text);
    CHECK(block.has_value());
    parsed.push_back(*block);
  }
  return parsed;
}

bool in_any(const Blocks& blocks, const IpAddress& address) {
  return std::ranges::any_of(blocks,
                             [&](const IpNetwork& block) { return block.contains(address); });
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

IpAddress IpAddress::from_v4(std::array<std::uint8_t, 4> bytes) {
  std::array<std::uint8_t, 16> all{};
  std::ranges::copy(v4_mapped_prefix, all.begin());
  std::ranges::copy(bytes, all.begin() + 12);
  return IpAddress(all);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() > address_text_max || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return from_v4(v4);
  std::array<std::uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return IpAddress(v6);
  return std::nullopt;
}

bool IpAddress::is_v4() const {
  return std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), bytes_.begin());
}

std::array<std::uint8_t, 4> IpAddress::v4_bytes() const {
  return {bytes_[12], bytes_[13], bytes_[14], bytes_[15]};
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const bool v4 = is_v4();
  const void* from = v4 ? bytes_.data() + 12 : bytes_.data();
  CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, from, buffer.data(), buffer.size()) != nullptr);
  return buffer.data();
}

std::string IpAddress::literal() const {
  return (is_v4() ? "[" : "[IPv6:") + text() + "]";
}

std::string IpAddress::reverse_name() const {
  if (is_v4())
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes_[15], bytes_[14], bytes_[13], bytes_[12]);
  std::string name;
  for (auto byte = bytes_.rbegin(); byte != bytes_.rend(); ++byte)
    name += fmt::format("{:x}.{:x}.", *byte & 0xf, *byte >> 4);
  return name + "ip6.arpa";
}

bool IpAddress::is_loopback() const {
  static const Blocks loopback = blocks({"127.0.0.0/8", "::1/128"});
  return in_any(loopback, *this);
}

bool IpAddress::is_link_local() const {
  static const Blocks link_local = blocks({"169.254.0.0/16", "fe80::/10"});
  return in_any(link_local, *this);
}

bool IpAddress::is_private() const {
  static const Blocks private_use =
      blocks({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
  return in_any(private_use, *this);
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const int bits_max = address->is_v4() ? 32 : 128;
  int bits = bits_max;
  if (slash != std::string_view::npos) {
    const auto parsed = parse_number<int>(text.substr(slash + 1));
    if (!parsed || *parsed < 0 || *parsed > bits_max) return std::nullopt;
    bits = *parsed;
  }
  IpNetwork network;
  network.base_ = *address;
  network.prefix_bits_ = bits + (128 - bits_max);
  for (int bit = network.prefix_bits_; bit < 128; ++bit)
    if ((address->bytes()[static_cast<std::size_t>(bit / 8)] & (0x80 >> (bit % 8))) != 0)
      return std::nullopt;
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (base_.is_v4() != address.is_v4()) return false;
  const auto whole = static_cast<std::size_t>(prefix_bits_ / 8);
  const auto& a = base_.bytes();
  const auto& b = address.bytes();
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
    return false;
  const int rest = prefix_bits_ % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

std::string IpNetwork::text() const {
  return fmt::format("{}/{}", base_.text(), base_.is_v4() ? prefix_bits_ - 96 : prefix_bits_);
}

std::string Endpoint::text() const {
  return address.is_v4() ? fmt::format("{}:{}", address.text(), port)
                         : fmt::format("[{}]:{}", address.text(), port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (!address || !port || has_colon != bracketed) return std::nullopt;
  return Endpoint{*address, *port};
}

}  // namespace postern
