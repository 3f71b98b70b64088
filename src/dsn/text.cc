#include "dsn/text.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::dsn {
namespace {

constexpr std::size_t word_bytes_max = 512;  // a longer word is broken, well below a line's limit

// Calls `word` for each run without spaces, in pieces of at most word_bytes_max.
template <typename F>
void for_each_word(std::string_view text, F&& word) {
  while (!text.empty()) {
    const auto start = text.find_first_not_of(' ');
    if (start == std::string_view::npos) return;
    text.remove_prefix(start);
    const auto length = std::min({text.find(' '), text.size(), word_bytes_max});
    word(text.substr(0, length));
    text.remove_prefix(length);
  }
}

// One code point of UTF-8 at the front of `text`, or nothing. Overlong forms are not told apart:
// the value is only shown.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
};
CodePoint code_point(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  if (bytes == 0 || bytes > text.size()) return {};
  std::uint32_t value = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) return {};
    value = (value << 6) | (next & 0x3fU);
  }
  return {value, bytes};
}

}  // namespace

std::string one_line(std::string_view text, std::size_t length_max) {
  std::string line;
  line.reserve(std::min(text.size(), length_max) + 3);
  for (const char c : text) {
    if (line.size() >= length_max) return line + "...";
    if (c == '\r' || c == '\n' || c == '\t') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += ascii_printable(c) ? c : '?';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string folded_field(std::string_view name, std::string_view value) {
  std::string field = fmt::format("{}:", name);
  std::size_t column = field.size();
  for_each_word(value, [&](std::string_view word) {
    if (column + 1 + word.size() > line_bytes_wanted && column > name.size() + 1) {
      field += "\r\n";
      column = 0;
    }
    field += ' ';
    field += word;
    column += 1 + word.size();
  });
  return field + "\r\n";
}

std::string wrapped(std::string_view text, std::string_view indent) {
  std::string lines;
  std::size_t column = 0;
  for_each_word(text, [&](std::string_view word) {
    if (column > 0 && column + 1 + word.size() > 72) {
      lines += "\r\n";
      column = 0;
    }
    const auto gap = column == 0 ? indent : std::string_view(" ");
    lines += gap;
    lines += word;
    column += gap.size() + word.size();
  });
  return column > 0 ? lines + "\r\n" : lines;
}

std::string quoted_printable(std::string_view text) {
  constexpr std::size_t line_max = 76;  // RFC 2045 section 6.7: rule 5, with the soft break's "="
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      out += "\r\n";
      column = 0;
      ++i;
      continue;
    }
    const bool at_end = i + 1 == text.size() || text[i + 1] == '\r';
    // Rule 3: a space or tab at the end of a line would be lost on the way.
    const bool plain =
        (ascii_printable(c) && c != '=' && !(c == ' ' && at_end)) || (c == '\t' && !at_end);
    const std::size_t width = plain ? 1 : 3;
    if (column + width > line_max - 1) {
      out += "=\r\n";
      column = 0;
    }
    if (plain)
      out += c;
    else
      out += fmt::format("={:02X}", static_cast<unsigned char>(c));
    column += width;
  }
  return out;
}

std::string typed_address(std::string_view address) {
  const bool ascii =
      std::ranges::all_of(address, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return "rfc822; " + one_line(address);
  std::string coded;
  for (std::size_t i = 0; i < address.size() && coded.size() < field_text_max;) {
    const CodePoint point = code_point(address.substr(i));
    if (point.bytes > 0) {
      coded += fmt::format("\\x{{{:X}}}", point.value);
      i += point.bytes;
    } else {
      const char c = address[i++];
      // RFC 6533 section 3: the characters that carry meaning in this form are coded too.
      if (c == '\\' || c == '+' || c == '=')
        coded += fmt::format("\\x{{{:X}}}", static_cast<unsigned char>(c));
      else
        coded += ascii_printable(c) && c != ' ' ? c : '?';
    }
  }
  return "utf-8; " + coded;
}

std::string status_or(std::string_view status, std::string_view otherwise) {
  int dots = 0;
  std::size_t digits = 0;
  for (const char c : status) {
    if (c == '.' && digits > 0 && dots < 2) {
      ++dots;
      digits = 0;
    } else if (ascii_digit(c) && digits < 3) {
      ++digits;
    } else {
      return std::string(otherwise);
    }
  }
  const bool usable = dots == 2 && digits > 0 && status[1] == '.' &&
                      (status[0] == '2' || status[0] == '4' || status[0] == '5');
  return std::string(usable ? status : otherwise);
}

}  // namespace postern::dsn
