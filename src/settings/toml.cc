// The only file that includes toml++: it costs 7 seconds to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0

#include "settings/toml.h"

#include <algorithm>
#include <array>
#include <toml++/toml.h>

namespace postern::settings {
namespace {

Place place_of(const toml::source_region& source) {
  return {static_cast<int>(source.begin.line), static_cast<int>(source.begin.column)};
}

TomlValue convert(const toml::node& node);

TomlTable convert_table(const toml::table& table) {
  TomlTable converted;
  for (const auto& [key, node] : table)
    converted.entries.push_back({std::string(key.str()), place_of(key.source()), convert(node)});
  // The library keeps keys in alphabetical order; people read their file from the top.
  std::ranges::sort(converted.entries, [](const TomlEntry& a, const TomlEntry& b) {
    return std::pair(a.key_place.line, a.key_place.column) <
           std::pair(b.key_place.line, b.key_place.column);
  });
  return converted;
}

TomlValue convert(const toml::node& node) {
  TomlValue converted{place_of(node.source()), TomlTime{}};
  if (const auto* text = node.as_string()) converted.value = text->get();
  if (const auto* number = node.as_integer()) converted.value = number->get();
  if (const auto* real = node.as_floating_point()) converted.value = real->get();
  if (const auto* flag = node.as_boolean()) converted.value = flag->get();
  if (const auto* table = node.as_table()) converted.value = convert_table(*table);
  if (const auto* array = node.as_array()) {
    TomlArray values;
    for (const toml::node& element : *array) values.push_back(convert(element));
    converted.value = std::move(values);
  }
  return converted;
}

}  // namespace

const TomlEntry* TomlTable::find(std::string_view key) const {
  const auto found =
      std::ranges::find_if(entries, [&](const TomlEntry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string_view TomlValue::kind() const {
  static constexpr std::array<std::string_view, 7> kinds{
      "a string", "a whole number", "a number with a fraction", "true or false", "a date or time",
      "a list",   "a section"};
  return kinds[value.index()];
}

std::expected<TomlTable, Diagnostic> parse_toml(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    Diagnostic diagnostic;
    diagnostic.place = place_of(parsed.error().source());
    diagnostic.what = "not TOML: " + std::string(parsed.error().description());
    diagnostic.advice = "mend this line; what follows it was not looked at";
    return std::unexpected(std::move(diagnostic));
  }
  return convert_table(parsed.table());
}

}  // namespace postern::settings
