#include "app/log_format.h"

#include <cmath>
#include <fmt/format.h>
#include <iterator>

#include "base/text.h"

namespace postern::app {
namespace {

constexpr char32_t replacement = 0xfffd;

struct Decoded {
  char32_t point = replacement;
  std::size_t length = 1;  ///< bytes taken
};

/// RFC 3629 section 4: one character of UTF-8; the replacement character, and one byte taken, where
/// the bytes are none (overlong and surrogates included).
Decoded decode(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  char32_t point = first & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return {};
  return {point, length};
}

/// C0, DEL and C1 controls, line separators, and what changes the direction of writing: a terminal
/// obeys them.
bool is_unprintable(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
         (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

enum class Escapes : std::uint8_t { text, json, raw };

void append_escaped(std::string& out, std::string_view all, Decoded c, Escapes escapes) {
  if (c.point == replacement && c.length == 1) {
    out += "\xef\xbf\xbd";
  } else if (is_unprintable(c.point)) {
    if (escapes == Escapes::json)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c.point));
    else if (c.point == '\n')
      out += "\\n";
    else if (c.point < 0x80)
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(c.point));
    else
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<unsigned>(c.point));
  } else if (escapes != Escapes::raw && (c.point == '"' || c.point == '\\')) {
    out += '\\';
    out += static_cast<char>(c.point);
  } else {
    out += all.substr(0, c.length);
  }
}

/// At most `bytes_max` bytes of `text`, then "...".
void append_bounded(std::string& out, std::string_view text, std::size_t bytes_max,
                    Escapes escapes) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    const std::string_view rest = text.substr(taken);
    const Decoded c = decode(rest);
    if (taken + c.length > bytes_max) {
      out += "...";
      return;
    }
    append_escaped(out, rest, c, escapes);
    taken += c.length;
  }
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text)
    if (!ascii_printable(c) || c == ' ' || c == '"' || c == '\\' || c == '=') return true;
  return false;
}

void append_text_value(std::string& out, const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    const bool quotes = needs_quotes(*text);
    if (quotes) out += '"';
    append_bounded(out, *text, log_value_bytes_max, Escapes::text);
    if (quotes) out += '"';
  } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    out += fmt::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    out += fmt::to_string(*real);
  } else {
    out += std::get<bool>(field.value) ? "yes" : "no";
  }
}

void append_json_string(std::string& out, std::string_view text, std::size_t bytes_max) {
  out += '"';
  append_bounded(out, text, bytes_max, Escapes::json);
  out += '"';
}

void append_json_value(std::string& out, const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    append_json_string(out, *text, log_value_bytes_max);
  } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    out += fmt::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    // RFC 8259 section 6: numbers like infinity and NaN do not exist in JSON.
    out += std::isfinite(*real) ? fmt::to_string(*real) : "null";
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

std::string format_text(const LogLine& line) {
  std::string out = format_iso8601(line.time);
  out += ' ';
  out += severity_name(line.severity);
  out += ' ';
  out += line.event;
  for (const LogField& field : line.fields) {
    out += ' ';
    out += field.key;
    out += '=';
    append_text_value(out, field);
  }
  return out;
}

std::string format_json(const LogLine& line) {
  std::string out = "{\"time\":\"";
  out += format_iso8601(line.time);
  out += "\",\"severity\":\"";
  out += severity_name(line.severity);
  out += "\",\"event\":";
  append_json_string(out, line.event, log_value_bytes_max);
  for (const LogField& field : line.fields) {
    out += ',';
    append_json_string(out, field.key, log_value_bytes_max);
    out += ':';
    append_json_value(out, field);
  }
  out += '}';
  return out;
}

std::string format_raw(std::string_view text) {
  std::string out;
  append_bounded(out, text, log_raw_bytes_max, Escapes::raw);
  return out;
}

}  // namespace postern::app
