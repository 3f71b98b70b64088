#include "ledger/case_id.h"

#include <algorithm>

#include "base/text.h"

namespace postern::ledger {
namespace {

constexpr std::string_view taken_for_each_other[] = {"0OQD", "1ILJ"};

/// What may stand where somebody read `c`, `c` itself first. Only the four that no id has are
/// doubted: who reads a Q means it.
std::string meant_by(char c) {
  std::string meant(1, c);
  if (std::string_view("0O1I").find(c) == std::string_view::npos) return meant;
  for (const std::string_view group : taken_for_each_other)
    if (group.find(c) != std::string_view::npos)
      for (const char other : group)
        if (other != c) meant += other;
  return meant;
}

std::string_view bare(std::string_view typed) {
  const auto strip = [&typed](std::string_view noise) {
    while (!typed.empty() && noise.find(typed.front()) != std::string_view::npos)
      typed.remove_prefix(1);
    while (!typed.empty() && noise.find(typed.back()) != std::string_view::npos)
      typed.remove_suffix(1);
  };
  constexpr std::string_view noise = " \t\"'()[]<>#:.,";
  strip(noise);
  constexpr std::string_view word = "case";
  // "CASE" alone, or with more letters behind it, can be an id.
  if (starts_with_ignoring_case(typed, word) && typed.size() > word.size() &&
      !ascii_alnum(typed[word.size()])) {
    typed.remove_prefix(word.size());
    strip(noise);
  }
  return typed;
}

}  // namespace

std::vector<std::string> case_ids_meant(std::string_view typed) {
  typed = bare(typed);
  if (typed.empty() || typed.size() > case_id_bytes_max || !std::ranges::all_of(typed, ascii_alnum))
    return {};
  std::vector<std::string> ids{std::string()};
  for (const char c : typed) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    const std::string meant = meant_by(upper);
    const std::size_t before = ids.size();
    const std::size_t ways = before * meant.size() > case_ids_meant_max ? 1 : meant.size();
    // Way by way, so that what was typed stays in front.
    for (std::size_t way = 1; way < ways; ++way)
      for (std::size_t i = 0; i < before; ++i) ids.push_back(ids[i] + meant[way]);
    for (std::size_t i = 0; i < before; ++i) ids[i] += meant.front();
  }
  return ids;
}

}  // namespace postern::ledger
