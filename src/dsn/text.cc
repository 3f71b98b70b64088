#include "dsn/text.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::dsn {
namespace {

constexpr std::size_t word_bytes_max = 512;  // a longer word is broken, well below a line's limit

// The length of the first word's piece: up to the next space, and no character is cut.
std::size_t piece_length(std::string_view text) {
  std::size_t length = std::min({text.find(' '), text.size(), word_bytes_max});
  while (length < text.size() && length > word_bytes_max - 4 &&
         (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80)
    --length;
  return length;
}

// Calls `word` with each run without spaces, in pieces, and the number of spaces before it.
template <typename F>
void for_each_word(std::string_view text, F&& word) {
  while (!text.empty()) {
    const auto spaces = text.find_first_not_of(' ');
    if (spaces == std::string_view::npos) return;
    text.remove_prefix(spaces);
    const auto length = piece_length(text);
    word(text.substr(0, length), spaces);
    text.remove_prefix(length);
  }
}

// Characters that are no text: controls, and those that reorder or hide what stands around them.
bool is_shown(std::uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool reorders = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
                        (c >= 0x2066 && c <= 0x2069);
  const bool hides = (c >= 0x200b && c <= 0x200d) || c == 0xfeff || (c >= 0xfff0 && c <= 0xffff);
  return !control && !reorders && !hides;
}

bool continues(std::string_view text, std::size_t bytes) {
  if (text.size() < bytes) return false;
  return std::ranges::all_of(text.substr(1, bytes - 1), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
  });
}

}  // namespace

CodePoint code_point(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (bytes == 0 || first > 0xf4 || !continues(text, bytes)) return {};
  std::uint32_t value = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i)
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  if (overlong || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) return {};
  return {value, bytes};
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

std::string one_line(std::string_view text, std::size_t length_max, Charset charset) {
  std::string line;
  line.reserve(std::min(text.size(), length_max) + 3);
  while (!text.empty()) {
    if (line.size() >= length_max) return line + "...";
    const char c = text[0];
    std::size_t taken = 1;
    if (c == '\r' || c == '\n' || c == '\t') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else if (ascii_printable(c)) {
      line += c;
    } else {
      const CodePoint point = charset == Charset::utf8 ? code_point(text) : CodePoint{};
      if (point.bytes > 1 && is_shown(point.value)) {
        line += text.substr(0, point.bytes);
      } else {
        line += '?';
      }
      taken = std::max<std::size_t>(point.bytes, 1);
    }
    text.remove_prefix(taken);
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string folded_field(std::string_view name, std::string_view value) {
  std::string field = fmt::format("{}:", name);
  std::size_t column = field.size();
  bool first = true;
  for_each_word(value, [&](std::string_view word, std::size_t spaces) {
    // Spaces that fill a line of their own would be a line of nothing, or too long with the word.
    const std::size_t gap =
        first ? 1 : std::clamp<std::size_t>(spaces, 1, line_bytes_max - word_bytes_max);
    if (!first && column + gap + word.size() > line_bytes_wanted) {
      // RFC 5322 section 2.2.3: folding adds a line end before spaces and changes nothing else.
      field += "\r\n";
      column = 0;
    }
    field.append(gap, ' ');
    field += word;
    column += gap + word.size();
    first = false;
  });
  return field + "\r\n";
}

std::string wrapped(std::string_view text, std::string_view indent) {
  constexpr std::size_t columns_max = 72;
  std::string lines;
  std::size_t column = 0;
  for_each_word(text, [&](std::string_view word, std::size_t) {
    if (column > 0 && column + 1 + columns(word) > columns_max) {
      lines += "\r\n";
      column = 0;
    }
    const auto gap = column == 0 ? indent : std::string_view(" ");
    lines += gap;
    lines += word;
    column += gap.size() + columns(word);
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

std::string encoded_words(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  constexpr std::string_view opening = "=?UTF-8?Q?";
  // RFC 2047 section 2: an encoded word has at most 75 characters.
  constexpr std::size_t content_max = 75 - opening.size() - 2;
  std::string out(opening);
  std::size_t length = 0;
  while (!text.empty()) {
    const std::size_t bytes = std::max<std::size_t>(code_point(text).bytes, 1);
    std::string coded;
    for (const char c : text.substr(0, bytes)) {
      // RFC 2047 section 5: rule 3 leaves only these as they are wherever the word may stand.
      if (c == ' ')
        coded += '_';
      else if (ascii_alnum(c) || c == '!' || c == '*' || c == '-' || c == '/')
        coded += c;
      else
        coded += fmt::format("={:02X}", static_cast<unsigned char>(c));
    }
    // RFC 2047 section 5: each word holds whole characters.
    if (length + coded.size() > content_max) {
      out += fmt::format("?= {}", opening);
      length = 0;
    }
    out += coded;
    length += coded.size();
    text.remove_prefix(bytes);
  }
  return out + "?=";
}

std::string status_or(std::string_view status, std::string_view classes,
                      std::string_view otherwise) {
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
  const bool usable = dots == 2 && digits > 0 && status[1] == '.' && classes.contains(status[0]);
  return std::string(usable ? status : otherwise);
}

}  // namespace postern::dsn
