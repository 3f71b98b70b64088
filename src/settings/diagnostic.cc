#include "settings/diagnostic.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::settings {
namespace {

constexpr std::size_t shown_length_max = 300;

/// Levenshtein distance, where two neighbouring letters in the wrong order count as one error.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> before(width);
  std::vector<std::size_t> above(width);
  std::vector<std::size_t> row(width);
  for (std::size_t j = 0; j < width; ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j < width; ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

std::string Diagnostic::text() const {
  std::string shown = file;
  if (place.line > 0) shown += fmt::format(":{}:{}", place.line, place.column);
  shown += ": ";
  if (weight == Weight::warning) shown += "warning: ";
  if (!section.empty()) shown += fmt::format("[{}]", printable(section, shown_length_max));
  if (!section.empty() && !key.empty()) shown += ' ';
  shown += printable(key, shown_length_max);
  if (!section.empty() || !key.empty()) shown += ": ";
  shown += what;
  if (!advice.empty()) shown += "; " + advice;
  return shown;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::ranges::any_of(diagnostics,
                             [](const Diagnostic& d) { return d.weight == Weight::error; });
}

std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t word_length_max = 64;
  if (word.size() > word_length_max) return {};
  const std::string lower = to_lower(word);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::size_t distance = edit_distance(lower, candidate);
    // "max_sessions" and "sessions": the one holds the other.
    if (lower.size() >= 4 && candidate.starts_with(lower))
      distance = std::min<std::size_t>(distance, 2);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace postern::settings
