#include "dsn/typed_address.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

// RFC 3461 section 4.2: ORCPT has at most 500 characters; a path has at most 256.
constexpr std::size_t address_bytes_max = 500;

std::string embedded(std::uint32_t value) {
  // RFC 6533 section 3: HEXPOINT, two digits at least, upper case.
  return fmt::format("\\x{{{:02X}}}", value);
}

// RFC 6533 section 3: QCHAR, printable ASCII without space, "\", "+" and "=".
bool is_qchar(char c) {
  return c > 0x20 && c < 0x7f && c != '\\' && c != '+' && c != '=';
}

// `plain`: the backslash means itself (an envelope address), not the start of \x{...}.
enum class Backslash : std::uint8_t { plain, embeds };

std::string utf8_form(std::string_view address, AddressForm form, Backslash backslash) {
  std::string coded;
  while (!address.empty() && coded.size() < address_bytes_max) {
    const char c = address[0];
    const CodePoint point = code_point(address);
    if (is_qchar(c) || (c == '\\' && backslash == Backslash::embeds))
      coded += c;
    else if (point.bytes == 1 && ascii_printable(c))
      coded += embedded(point.value);
    else if (point.bytes > 1)
      coded += form == AddressForm::xtext
                   ? embedded(point.value)
                   : one_line(address.substr(0, point.bytes), 4, Charset::utf8);
    else
      coded += '?';
    address.remove_prefix(std::max<std::size_t>(point.bytes, 1));
  }
  return coded;
}

std::optional<std::uint32_t> hex_value(std::string_view digits) {
  if (digits.size() < 2 || digits.size() > 6) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : digits) {
    const bool letter = c >= 'A' && c <= 'F';
    if (!letter && !ascii_digit(c)) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(letter ? c - 'A' + 10 : c - '0');
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t value) {
  const auto tail = [value](unsigned shift) {
    return static_cast<char>(0x80 | ((value >> shift) & 0x3fU));
  };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += {static_cast<char>(0xc0 | (value >> 6)), tail(0)};
  } else if (value < 0x10000) {
    out += {static_cast<char>(0xe0 | (value >> 12)), tail(6), tail(0)};
  } else {
    out += {static_cast<char>(0xf0 | (value >> 18)), tail(12), tail(6), tail(0)};
  }
}

}  // namespace

std::string typed_address(std::string_view address, AddressForm form) {
  if (is_ascii(address)) return "rfc822; " + one_line(address, address_bytes_max);
  return "utf-8; " + utf8_form(address, form, Backslash::plain);
}

std::optional<std::string> typed_original(std::string_view original_recipient, AddressForm form) {
  const auto semicolon = original_recipient.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  const std::string type = one_line(trim(original_recipient.substr(0, semicolon)), 40);
  const std::string_view address = original_recipient.substr(semicolon + 1);
  const bool atom =
      !type.empty() && std::ranges::all_of(type, [](char c) { return ascii_alnum(c) || c == '-'; });
  if (!atom || trim(address).empty()) return std::nullopt;
  // RFC 6533 section 3: an address of this type came in xtext or unitext form; what it embeds
  // stays.
  if (equal_ignoring_case(type, "utf-8"))
    return fmt::format("{};{}", type, utf8_form(address, form, Backslash::embeds));
  // RFC 3464 section 2.3.1: what the sender wrote comes back exactly.
  return fmt::format("{};{}", type, one_line(address, address_bytes_max));
}

std::optional<std::string> decode_utf8_address(std::string_view text) {
  std::string address;
  while (!text.empty()) {
    if (text.starts_with("\\x{")) {
      const auto end = text.find('}');
      if (end == std::string_view::npos) return std::nullopt;
      const auto value = hex_value(text.substr(3, end - 3));
      if (!value) return std::nullopt;
      std::string character;
      append_utf8(character, *value);
      if (code_point(character).bytes != character.size()) return std::nullopt;
      address += character;
      text.remove_prefix(end + 1);
      continue;
    }
    const CodePoint point = code_point(text);
    if (point.bytes == 0 || (point.bytes == 1 && !is_qchar(text[0]))) return std::nullopt;
    address += text.substr(0, point.bytes);
    text.remove_prefix(point.bytes);
  }
  return address;
}

}  // namespace postern::dsn
