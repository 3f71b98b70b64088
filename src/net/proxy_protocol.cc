#include "net/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "base/text.h"

namespace postern::net {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view line_start = "PROXY ";
constexpr std::size_t line_bytes_min = "PROXY UNKNOWN\r\n"sv.size();
constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;
/// Signature, version and command, family and transport, length.
constexpr std::size_t fixed_bytes = 16;
constexpr std::size_t tlv_head_bytes = 3;
constexpr std::uint8_t type_checksum = 0x03;

/// Section 2.2: the families, in the high half of byte 14, and how long their addresses are.
constexpr std::uint8_t family_unspecified = 0;
constexpr std::uint8_t family_v4 = 1;
constexpr std::uint8_t family_v6 = 2;
constexpr std::array<std::size_t, 4> block_bytes{0, 12, 36, 216};
constexpr std::uint8_t transport_stream = 1;
constexpr std::uint8_t transport_max = 2;

std::uint8_t octet(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t word(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(octet(bytes, at) << 8 | octet(bytes, at + 1));
}

template <std::size_t N>
std::array<std::uint8_t, N> octets(std::string_view bytes, std::size_t at) {
  std::array<std::uint8_t, N> result;
  std::ranges::transform(bytes.substr(at, N), result.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return result;
}

/// Section 2.1: decimal, without zeros in front.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, ascii_digit)) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() ? std::optional(port) : std::nullopt;
}

/// The words of a line; exactly one blank stands between two.
std::optional<std::array<std::string_view, 5>> five_words(std::string_view line) {
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t blank = line.find(' ');
    if ((blank == std::string_view::npos) != (i + 1 == words.size())) return std::nullopt;
    words[i] = line.substr(0, blank);
    line.remove_prefix(std::min(line.size(), words[i].size() + 1));
  }
  return words;
}

}  // namespace

std::size_t ProxyHeaderReader::wanted() const {
  const std::size_t held = held_.size();
  switch (part_) {
    case Part::start:
      // Until the first byte tells which it is, as much as both have.
      if (held == 0 || held_.front() == line_start.front()) return line_bytes_min - held;
      return fixed_bytes - held;
    case Part::line:
      if (held < line_bytes_min) return line_bytes_min - held;
      return held_.back() == '\r' ? 1 : 2;
    default:
      return left_;
  }
}

std::size_t ProxyHeaderReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::reading) step(bytes[used++]);
  return used;
}

void ProxyHeaderReader::step(char c) {
  const bool kept = part_ != Part::tlv_value && part_ != Part::ignored;
  if (kept) held_ += c;
  if (part_ == Part::start) return on_start();
  if (part_ == Part::line) return on_line();
  // Section 2.2.3: the checksum is made with its own field as zeros.
  checksum_.process_byte(in_checksum_ ? 0 : static_cast<std::uint8_t>(c));
  if (in_checksum_) announced_checksum_ = announced_checksum_ << 8 | static_cast<std::uint8_t>(c);
  if (--left_ > 0) return;
  switch (part_) {
    case Part::fixed:
      return on_fixed();
    case Part::addresses:
      return on_addresses();
    case Part::tlv_head:
      return on_tlv_head();
    case Part::tlv_value:
      in_checksum_ = false;
      return next_tlv();
    default:
      return finish();
  }
}

void ProxyHeaderReader::begin(Part part, std::size_t bytes) {
  part_ = part;
  left_ = bytes;
}

// --- which version

void ProxyHeaderReader::on_start() {
  if (held_ == line_start) return begin(Part::line, 0);
  if (held_ == signature) {
    checksum_.process_bytes(held_.data(), held_.size());
    return begin(Part::fixed, fixed_bytes - signature.size());
  }
  if (!line_start.starts_with(held_) && !signature.starts_with(held_))
    fail("the connection does not begin with a PROXY protocol header");
}

// --- version 1

void ProxyHeaderReader::on_line() {
  if (held_.ends_with("\r\n")) return read_line();
  if (held_.size() >= line_bytes_max) fail("the line is longer than 107 bytes");
}

void ProxyHeaderReader::read_line() {
  std::string_view line(held_);
  line.remove_prefix(line_start.size());
  line.remove_suffix(2);
  // Section 2.1: what stands behind UNKNOWN is ignored.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return finish();
  const auto words = five_words(line);
  if (!words) return fail("the line has not the five words of the specification");
  const auto& [protocol, source, destination, source_port, destination_port] = *words;
  if (protocol != "TCP4" && protocol != "TCP6")
    return fail("the protocol is not TCP4, TCP6 or UNKNOWN");
  const auto parse_address = [v6 = protocol == "TCP6"](std::string_view text) {
    return text.contains(':') == v6 ? IpAddress::parse(text) : std::nullopt;
  };
  const auto from = parse_address(source);
  const auto to = parse_address(destination);
  if (!from || !to) return fail("an address is not one of the line's protocol");
  const auto from_port = parse_port(source_port);
  const auto to_port = parse_port(destination_port);
  if (!from_port || !to_port) return fail("a port is not a number from 0 to 65535");
  header_ = {ProxyHeader::Kind::client, {*from, *from_port}, {*to, *to_port}};
  finish();
}

// --- version 2

void ProxyHeaderReader::on_fixed() {
  const std::uint8_t version = octet(held_, 12) >> 4;
  const std::uint8_t command = octet(held_, 12) & 0x0f;
  const std::uint8_t family = octet(held_, 13) >> 4;
  const std::uint8_t transport = octet(held_, 13) & 0x0f;
  const std::size_t length = word(held_, 14);
  if (version != 2) return fail("the version is not 2");
  if (command > 1) return fail("the command is neither LOCAL nor PROXY");
  const bool local = command == 0;
  // Section 2.2: of LOCAL the family is ignored too. An unknown family must be refused.
  if (!local && (family >= block_bytes.size() || transport > transport_max))
    return fail("the address family or transport is none of the specification's");
  if (local) header_.kind = ProxyHeader::Kind::local;
  if (local || family == family_unspecified) {
    begin(Part::ignored, length);
    return length == 0 ? finish() : void();
  }
  if (length < block_bytes[family]) return fail("the header is too short for its addresses");
  behind_ = length - block_bytes[family];
  begin(Part::addresses, block_bytes[family]);
}

void ProxyHeaderReader::on_addresses() {
  const std::uint8_t family = octet(held_, 13) >> 4;
  const bool stream = (octet(held_, 13) & 0x0f) == transport_stream;
  const std::string_view block = std::string_view(held_).substr(fixed_bytes);
  if (family == family_v4 && stream)
    header_ = {ProxyHeader::Kind::client,
               {IpAddress::from_v4(octets<4>(block, 0)), word(block, 8)},
               {IpAddress::from_v4(octets<4>(block, 4)), word(block, 10)}};
  if (family == family_v6 && stream)
    header_ = {ProxyHeader::Kind::client,
               {IpAddress::from_v6(octets<16>(block, 0)), word(block, 32)},
               {IpAddress::from_v6(octets<16>(block, 16)), word(block, 34)}};
  next_tlv();
}

void ProxyHeaderReader::next_tlv() {
  if (behind_ == 0) return finish();
  if (behind_ < tlv_head_bytes) return fail("a TLV is cut off");
  behind_ -= tlv_head_bytes;
  held_.clear();
  begin(Part::tlv_head, tlv_head_bytes);
}

void ProxyHeaderReader::on_tlv_head() {
  const std::size_t length = word(held_, 1);
  if (length > behind_) return fail("a TLV is longer than the header");
  behind_ -= length;
  if (octet(held_, 0) == type_checksum) {
    if (length != sizeof announced_checksum_ || has_checksum_)
      return fail("there is more than one checksum, or one that is not of four bytes");
    in_checksum_ = true;
    has_checksum_ = true;
  }
  if (length == 0) return next_tlv();
  begin(Part::tlv_value, length);
}

void ProxyHeaderReader::finish() {
  // Section 2.2.3: a receiver that knows the checksum must verify it.
  if (has_checksum_ && checksum_.checksum() != announced_checksum_)
    return fail("the checksum is wrong");
  state_ = State::complete;
  std::string().swap(held_);
}

void ProxyHeaderReader::fail(std::string_view fault) {
  state_ = State::malformed;
  fault_ = fault;
  std::string().swap(held_);
}

}  // namespace postern::net
