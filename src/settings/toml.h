#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "settings/diagnostic.h"

namespace postern::settings {

struct TomlEntry;
struct TomlValue;

using TomlArray = std::vector<TomlValue>;

struct TomlTable {
  std::vector<TomlEntry> entries;  ///< in the order of the file

  /// Null when the key is absent.
  [[nodiscard]] const TomlEntry* find(std::string_view key) const;
};

/// Dates and times, which no setting of ours is.
struct TomlTime {};

struct TomlValue {
  Place place;
  std::variant<std::string, std::int64_t, double, bool, TomlTime, TomlArray, TomlTable> value;

  /// "a string", "a whole number", ... for messages.
  [[nodiscard]] std::string_view kind() const;
};

struct TomlEntry {
  std::string key;
  Place key_place;
  TomlValue value;
};

/// Reads TOML text. Kept apart from its users, since the library's header is slow to compile. A
/// syntax error, or a key given twice, is the Diagnostic (its `file` left empty).
std::expected<TomlTable, Diagnostic> parse_toml(std::string_view text);

}  // namespace postern::settings
