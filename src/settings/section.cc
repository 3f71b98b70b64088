#include "settings/section.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/text.h"

namespace postern::settings {
namespace {

/// A file of nonsense shall not print for minutes.
constexpr std::size_t diagnostics_max = 200;

std::string in_quotes(std::string_view text) {
  return "\"" + printable(text, 100) + "\"";
}

}  // namespace

std::string Section::path_of(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

const TomlEntry* Section::find(std::string_view key) {
  if (std::ranges::find(keys_, key) == keys_.end()) {
    keys_.emplace_back(key);
    findings_.known.push_back(path_of(key));
  }
  return table_ == nullptr ? nullptr : table_->find(key);
}

void Section::problem_at(Place place, std::string_view key, Objection objection, Weight weight) {
  if (findings_.diagnostics.size() >= diagnostics_max) return;
  findings_.diagnostics.push_back({weight, findings_.file, place, name_, std::string(key),
                                   std::move(objection.what), std::move(objection.advice)});
}

void Section::problem(std::string_view key, Objection objection, Weight weight) {
  const TomlEntry* entry = table_ == nullptr ? nullptr : table_->find(key);
  problem_at(entry == nullptr ? place_ : entry->value.place, key, std::move(objection), weight);
}

void Section::problem_in_file(const std::string& file, int line, Objection objection,
                              Weight weight) {
  if (findings_.diagnostics.size() >= diagnostics_max) return;
  const Place place = line > 0 ? Place{line, 1} : Place{};
  findings_.diagnostics.push_back(
      {weight, file, place, "", "", std::move(objection.what), std::move(objection.advice)});
}

void Section::wrong_kind(std::string_view key, const TomlValue& value, std::string_view wanted) {
  problem_at(
      value.place, key,
      {fmt::format("must be {}, but is {}", wanted, value.kind()), fmt::format("write {}", wanted)},
      Weight::error);
}

void Section::text(std::string_view key, std::string& into) {
  text_of(key, into, "");
}

void Section::paragraph(std::string_view key, std::string& into) {
  text_of(key, into, "\n\t");
}

void Section::text_of(std::string_view key, std::string& into, std::string_view controls_allowed) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return;
  const auto* text = std::get_if<std::string>(&entry->value.value);
  if (text == nullptr) return wrong_kind(key, entry->value, "a string in quotes");
  if (std::ranges::any_of(*text, [controls_allowed](char c) {
        return static_cast<unsigned char>(c) < 0x20 && !controls_allowed.contains(c);
      }))
    return problem(key, {"holds a control character", "remove it"});
  into = *text;
}

void Section::flag(std::string_view key, bool& into) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return;
  const auto* flag = std::get_if<bool>(&entry->value.value);
  if (flag == nullptr) return wrong_kind(key, entry->value, "true or false (without quotes)");
  into = *flag;
}

void Section::integer(std::string_view key, std::uint64_t& into, std::uint64_t min,
                      std::uint64_t max) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return;
  const auto* number = std::get_if<std::int64_t>(&entry->value.value);
  if (number == nullptr) return wrong_kind(key, entry->value, "a whole number (without quotes)");
  if (*number < 0 || static_cast<std::uint64_t>(*number) < min ||
      static_cast<std::uint64_t>(*number) > max)
    return problem(key, {fmt::format("{} is out of range", *number),
                         fmt::format("give a number from {} to {}", min, max)});
  into = static_cast<std::uint64_t>(*number);
}

void Section::integers(std::string_view key, std::vector<std::uint64_t>& into,
                       std::size_t count_max, std::uint64_t min, std::uint64_t max) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return;
  const auto* array = std::get_if<TomlArray>(&entry->value.value);
  if (array == nullptr || array->size() > count_max)
    return wrong_kind(key, entry->value,
                      fmt::format("a list of at most {} whole numbers", count_max));
  std::vector<std::uint64_t> values;
  for (const TomlValue& element : *array) {
    const auto* number = std::get_if<std::int64_t>(&element.value);
    if (number == nullptr || *number < 0 || static_cast<std::uint64_t>(*number) < min ||
        static_cast<std::uint64_t>(*number) > max)
      return problem_at(element.place, key,
                        {"holds something that is no whole number in range",
                         fmt::format("give numbers from {} to {}", min, max)},
                        Weight::error);
    values.push_back(static_cast<std::uint64_t>(*number));
  }
  into = std::move(values);
}

void Section::duration(std::string_view key, Duration& into, Duration min, Duration max) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return;
  const auto* text = std::get_if<std::string>(&entry->value.value);
  if (text == nullptr)
    return wrong_kind(key, entry->value,
                      "a duration in quotes such as \"30s\", \"5m\" or \"1h30m\"");
  const auto duration = parse_duration(*text);
  if (!duration)
    return problem(key, {in_quotes(*text) + " is not a duration",
                         "write numbers with ms, s, m, h, d or w, such as \"30s\" or \"1h30m\""});
  if (*duration < min || *duration > max)
    return problem(key, {in_quotes(*text) + " is out of range",
                         fmt::format("give a duration from {} to {}", format_duration(min),
                                     format_duration(max))});
  into = *duration;
}

std::optional<std::size_t> Section::choice_index(std::string_view key,
                                                 const std::vector<std::string_view>& words) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  std::string listed;
  for (const std::string_view word : words)
    listed += fmt::format("{}\"{}\"", listed.empty() ? "" : ", ", word);
  const auto* text = std::get_if<std::string>(&entry->value.value);
  if (text == nullptr) {
    wrong_kind(key, entry->value, "one of " + listed);
    return std::nullopt;
  }
  const auto found = std::ranges::find(words, std::string_view(*text));
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  problem(key, {in_quotes(*text) + " is not a choice here", "write one of " + listed});
  return std::nullopt;
}

const TomlArray* Section::strings(std::string_view key, std::size_t count_max, Repeats repeats) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return nullptr;
  const auto* array = std::get_if<TomlArray>(&entry->value.value);
  if (array == nullptr) {
    wrong_kind(key, entry->value, "a list of strings such as [\"one\", \"two\"]");
    return nullptr;
  }
  if (array->size() > count_max) {
    problem(key, {fmt::format("has {} values", array->size()),
                  fmt::format("give {} at most", count_max)});
    return nullptr;
  }
  std::set<std::string> seen;
  for (const TomlValue& element : *array) {
    const auto* text = std::get_if<std::string>(&element.value);
    if (text != nullptr && repeats == Repeats::refused && !seen.insert(to_lower(*text)).second)
      problem_at(element.place, key,
                 {in_quotes(*text) + " stands in the list twice", "remove one of them"},
                 Weight::error);
  }
  return array;
}

Section Section::section(std::string_view key) {
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return {path_of(key), place_, nullptr, findings_};
  const auto* table = std::get_if<TomlTable>(&entry->value.value);
  if (table == nullptr) wrong_kind(key, entry->value, fmt::format("a section [{}]", path_of(key)));
  return {path_of(key), entry->value.place, table, findings_};
}

std::vector<Section> Section::sections(std::string_view key, std::size_t count_max) {
  std::vector<Section> found;
  const TomlEntry* entry = find(key);
  if (entry == nullptr) return found;
  const auto* array = std::get_if<TomlArray>(&entry->value.value);
  if (array == nullptr) {
    wrong_kind(key, entry->value, fmt::format("[[{}]] with two pairs of brackets", path_of(key)));
    return found;
  }
  if (array->size() > count_max) {
    problem(key, {fmt::format("there are {} of them", array->size()),
                  fmt::format("give {} at most", count_max)});
    return found;
  }
  for (const TomlValue& element : *array) {
    const auto* table = std::get_if<TomlTable>(&element.value);
    if (table == nullptr)
      wrong_kind(key, element, fmt::format("[[{}]] with two pairs of brackets", path_of(key)));
    else
      found.push_back({path_of(key), element.place, table, findings_});
  }
  return found;
}

void Section::finish() {
  if (table_ == nullptr) return;
  for (const TomlEntry& entry : table_->entries) {
    if (std::ranges::find(keys_, entry.key) != keys_.end()) continue;
    const bool is_section = std::holds_alternative<TomlTable>(entry.value.value) ||
                            (name_.empty() && std::holds_alternative<TomlArray>(entry.value.value));
    const std::string_view meant = nearest(entry.key, keys_);
    std::string advice = fmt::format("remove it; {} lists every key", findings_.reference);
    if (!meant.empty())
      advice = fmt::format("did you mean \"{}\"?", meant);
    else if (name_.empty() && !is_section)
      advice = "write the [section] that it belongs to above it";
    problem_at(entry.key_place, entry.key,
               {is_section ? "unknown section" : "unknown key", std::move(advice)}, Weight::error);
  }
}

}  // namespace postern::settings
