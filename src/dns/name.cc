#include "dns/name.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::dns {
namespace {

/// Reads one byte of a label, resolving an escape. False when the escape is broken.
bool read_byte(std::string_view& text, char& byte) {
  byte = text.front();
  text.remove_prefix(1);
  if (byte != '\\') return true;
  if (text.empty()) return false;
  // RFC 1035 section 5.1: \DDD is the byte of that decimal value, \X is X itself.
  if (!ascii_digit(text.front())) {
    byte = text.front();
    text.remove_prefix(1);
    return true;
  }
  if (text.size() < 3 || !ascii_digit(text[1]) || !ascii_digit(text[2])) return false;
  const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  if (value > 255) return false;
  byte = static_cast<char>(value);
  text.remove_prefix(3);
  return true;
}

/// Reads up to the dot that ends the label or the end of the text.
bool read_label(std::string_view& text, std::string& label) {
  label.clear();
  while (!text.empty() && text.front() != '.') {
    char byte = 0;
    if (!read_byte(text, byte) || label.size() == label_bytes_max) return false;
    label += byte;
  }
  if (!text.empty()) text.remove_prefix(1);
  return !label.empty();
}

/// Calls `each` with every label's bytes; false when `text` is no name.
template <typename Each>
bool for_each_label(std::string_view text, Each each) {
  if (text == ".") return true;
  std::size_t wire_bytes = 1;
  std::string label;
  while (!text.empty()) {
    if (!read_label(text, label)) return false;
    wire_bytes += label.size() + 1;
    if (wire_bytes > name_wire_bytes_max) return false;
    each(std::string_view(label));
  }
  return true;
}

bool is_host_label(std::string_view label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return ascii_alnum(c) || c == '-' || c == '_'; });
}

}  // namespace

void append_label(std::string& name, std::string_view label_bytes) {
  if (!name.empty()) name += '.';
  for (const char c : label_bytes) {
    if (c == '.' || c == '\\')
      (name += '\\') += c;
    else if (c > 0x20 && c < 0x7f)
      name += ascii_lower(c);
    else
      name += fmt::format("\\{:03}", static_cast<unsigned char>(c));
  }
}

std::optional<std::string> normalize_name(std::string_view text) {
  std::string name;
  if (!for_each_label(text, [&name](std::string_view label) { append_label(name, label); }))
    return std::nullopt;
  return name;
}

std::optional<std::string> name_to_wire(std::string_view text) {
  std::string wire;
  const auto append = [&wire](std::string_view label) {
    wire += static_cast<char>(label.size());
    wire += label;
  };
  if (!for_each_label(text, append)) return std::nullopt;
  wire += '\0';
  return wire;
}

std::string_view parent_name(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\')
      ++i;
    else if (name[i] == '.')
      return name.substr(i + 1);
  }
  return {};
}

bool is_host_name(std::string_view name) {
  // Without escapes a dot always ends a label; a name with an escape fails on its backslash.
  if (name.size() + 2 > name_wire_bytes_max) return false;
  std::size_t labels = 0;
  std::string_view last;
  while (true) {
    const auto dot = name.find('.');
    last = name.substr(0, dot);
    if (!is_host_label(last)) return false;
    ++labels;
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  return labels >= 2 && !std::ranges::all_of(last, ascii_digit);
}

}  // namespace postern::dns
