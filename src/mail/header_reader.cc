#include "mail/header_reader.h"

#include <algorithm>

#include "base/text.h"

namespace postern::mail {
namespace {

/// RFC 5322 section 3.6.8: ftext, printable ASCII without the colon.
bool is_field_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
}

/// The line at `from`, its line end included.
std::string_view line_at(std::string_view content, std::size_t from) {
  const std::size_t end = content.find('\n', from);
  return end == std::string_view::npos ? content.substr(from)
                                       : content.substr(from, end - from + 1);
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_folded(std::string_view line) {
  return line.starts_with(' ') || line.starts_with('\t');
}

}  // namespace

std::optional<HeaderField> HeaderReader::next() {
  if (ended_ || position_ >= content_.size()) {
    ended_ = true;
    return std::nullopt;
  }
  const std::string_view first = line_at(content_, position_);
  const std::size_t colon = first.find(':');
  // RFC 5322 section 4.5: blanks before the colon are obsolete, yet still read.
  const std::string_view name =
      colon == std::string_view::npos ? std::string_view() : trim(first.substr(0, colon));
  if (is_folded(first) || !is_field_name(name)) {
    ended_ = true;
    if (without_line_end(first).empty()) position_ += first.size();
    return std::nullopt;
  }
  const std::size_t start = position_;
  position_ += first.size();
  while (position_ < content_.size() && is_folded(content_.substr(position_)))
    position_ += line_at(content_, position_).size();
  const std::string_view raw = content_.substr(start, position_ - start);
  return HeaderField{name, without_line_end(raw.substr(colon + 1)), raw};
}

std::string unfold(std::string_view value, std::size_t length_max) {
  std::string line;
  for (const char c : value) {
    if (line.size() >= length_max) break;
    if (c != '\r' && c != '\n') line += c;
  }
  return std::string(trim(line));
}

std::optional<std::string> find_header(std::string_view content, std::string_view name) {
  HeaderReader reader(content);
  while (const auto field = reader.next())
    if (equal_ignoring_case(field->name, name)) return unfold(field->value);
  return std::nullopt;
}

}  // namespace postern::mail
