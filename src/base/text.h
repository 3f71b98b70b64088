#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern {

/// ASCII only and independent of the locale, as every protocol here wants it.
constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool ascii_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool ascii_alpha(char c) {
  return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
constexpr bool ascii_alnum(char c) {
  return ascii_digit(c) || ascii_alpha(c);
}
constexpr bool ascii_printable(char c) {
  return c >= 0x20 && c < 0x7f;
}

std::string to_lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
/// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

/// For text that a peer or a DNS zone controls, before it reaches a reply or a log: whatever is not
/// printable ASCII (and the backslash itself) becomes \xNN, and what is longer than `length_max`
/// ends in "...".
std::string printable(std::string_view text, std::size_t length_max = 200);

}  // namespace postern
