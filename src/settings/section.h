#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "settings/diagnostic.h"
#include "settings/toml.h"

namespace postern::settings {

/// What reading a configuration file gathers.
struct Findings {
  std::string file;
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> known;  ///< every key asked for: "unknown_ip.actions.no_ptr"
  std::string reference = "docs/postern.toml";  ///< what lists every key
};

/// What is wrong with one value, and what to do about it.
struct Objection {
  std::string what;
  std::string advice;
};
template <typename T>
using Parsed = std::expected<T, Objection>;
inline std::unexpected<Objection> object(std::string what, std::string advice) {
  return std::unexpected(Objection{std::move(what), std::move(advice)});
}

/// One table of the file while it is read. Each reading function names a key, so that the section
/// knows its keys; a key that is absent leaves `into` as it is (the default), one with a wrong
/// value too, with a diagnostic. finish() reports the keys nobody asked for. Lives during the
/// reading only; `table` (null: the section is absent) and `findings` outlive it.
class Section {
 public:
  Section(std::string name, Place place, const TomlTable* table, Findings& findings)
      : name_(std::move(name)), place_(place), table_(table), findings_(findings) {}

  void text(std::string_view key, std::string& into);
  /// The same with several lines.
  void paragraph(std::string_view key, std::string& into);
  void flag(std::string_view key, bool& into);
  void integer(std::string_view key, std::uint64_t& into, std::uint64_t min, std::uint64_t max);
  /// A list of whole numbers.
  void integers(std::string_view key, std::vector<std::uint64_t>& into, std::size_t count_max,
                std::uint64_t min, std::uint64_t max);
  void duration(std::string_view key, Duration& into, Duration min, Duration max);

  /// One of a few words.
  template <typename E>
  void choice(std::string_view key, E& into,
              std::initializer_list<std::pair<std::string_view, E>> choices) {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) words.push_back(word);
    if (const auto index = choice_index(key, words)) into = (choices.begin() + *index)->second;
  }

  /// A string that `parse` turns into a value.
  template <typename T>
  void parsed(std::string_view key, T& into, Parsed<T> (*parse)(std::string_view)) {
    const TomlEntry* entry = find(key);
    if (entry == nullptr) return;
    if (auto value = parse_one(key, entry->value, parse)) into = std::move(*value);
  }

  /// Whether a list may hold the same value twice.
  enum class Repeats : std::uint8_t { refused, allowed };

  /// A list of strings that `parse` turns into values. False when nothing was read.
  template <typename T>
  bool list(std::string_view key, std::vector<T>& into, std::size_t count_max,
            Parsed<T> (*parse)(std::string_view), Repeats repeats = Repeats::refused) {
    const TomlArray* array = strings(key, count_max, repeats);
    if (array == nullptr) return false;
    std::vector<T> values;
    for (const TomlValue& element : *array)
      if (auto value = parse_one(key, element, parse)) values.push_back(std::move(*value));
    if (values.size() != array->size()) return false;
    into = std::move(values);
    return true;
  }

  /// A section inside this one, "unknown_ip.actions" in "unknown_ip".
  Section section(std::string_view key);
  /// The tables of [[key]], bounded; each is then a Section of its own.
  std::vector<Section> sections(std::string_view key, std::size_t count_max);

  /// One such table that is not there, so that its keys are known all the same.
  Section absent(std::string_view key) { return {path_of(key), place_, nullptr, findings_}; }

  /// Whether the file sets this key.
  [[nodiscard]] bool has(std::string_view key) const {
    return table_ != nullptr && table_->find(key) != nullptr;
  }
  /// Records what is wrong with a key, at its value's place (or the section's).
  void problem(std::string_view key, Objection objection, Weight weight = Weight::error);
  /// Records what is wrong with a line (0: the whole) of another file that the section names.
  void problem_in_file(const std::string& file, int line, Objection objection,
                       Weight weight = Weight::error);

  /// Reports every key that no reading function named. Last.
  void finish();

  [[nodiscard]] bool present() const { return table_ != nullptr; }
  [[nodiscard]] Place place() const { return place_; }

 private:
  const TomlEntry* find(std::string_view key);
  void text_of(std::string_view key, std::string& into, std::string_view controls_allowed);
  void problem_at(Place place, std::string_view key, Objection objection, Weight weight);
  void wrong_kind(std::string_view key, const TomlValue& value, std::string_view wanted);
  std::optional<std::size_t> choice_index(std::string_view key,
                                          const std::vector<std::string_view>& words);
  const TomlArray* strings(std::string_view key, std::size_t count_max, Repeats repeats);
  [[nodiscard]] std::string path_of(std::string_view key) const;

  template <typename T>
  std::optional<T> parse_one(std::string_view key, const TomlValue& value,
                             Parsed<T> (*parse)(std::string_view)) {
    const auto* text = std::get_if<std::string>(&value.value);
    if (text == nullptr) {
      wrong_kind(key, value, "a string in quotes");
      return std::nullopt;
    }
    Parsed<T> result = parse(*text);
    if (result) return std::move(*result);
    problem_at(value.place, key, std::move(result.error()), Weight::error);
    return std::nullopt;
  }

  std::string name_;
  Place place_;
  const TomlTable* table_;
  Findings& findings_;
  std::vector<std::string> keys_;
};

}  // namespace postern::settings
