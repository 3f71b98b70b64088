#include "smtp/enhanced_status.h"

#include <fmt/format.h>

#include "base/text.h"

namespace postern::smtp {
namespace {

/// RFC 3463 section 2: one to three digits, without leading zeros.
std::optional<std::uint16_t> parse_number(std::string_view text) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0'))
    return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (!ascii_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::string EnhancedStatus::text() const {
  return fmt::format("{}.{}.{}", status_class, subject, detail);
}

std::optional<EnhancedStatus> EnhancedStatus::parse(std::string_view text) {
  if (text.size() < 5 || text[1] != '.') return std::nullopt;
  const char first = text.front();
  if (first != '2' && first != '4' && first != '5') return std::nullopt;
  const std::size_t dot = text.find('.', 2);
  if (dot == std::string_view::npos) return std::nullopt;
  const auto subject = parse_number(text.substr(2, dot - 2));
  const auto detail = parse_number(text.substr(dot + 1));
  if (!subject || !detail) return std::nullopt;
  return EnhancedStatus{static_cast<std::uint8_t>(first - '0'), *subject, *detail};
}

std::optional<EnhancedStatus> EnhancedStatus::take(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const auto status = parse(text.substr(0, end));
  if (!status) return std::nullopt;
  text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return status;
}

}  // namespace postern::smtp
