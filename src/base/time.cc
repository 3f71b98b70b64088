#include "base/time.h"

#include <array>
#include <charconv>
#include <ctime>
#include <fmt/format.h>

namespace postern {
namespace {

std::tm utc(WallTime time) {
  const auto since = std::chrono::floor<seconds>(time.time_since_epoch()).count();
  const auto t = static_cast<std::time_t>(since);
  std::tm parts{};
  gmtime_r(&t, &parts);
  return parts;
}

struct Unit {
  std::string_view suffix;
  Duration length;
};
using namespace std::chrono_literals;
constexpr std::array<Unit, 6> units{
    {{"w", 168h}, {"d", 24h}, {"h", 1h}, {"m", 1min}, {"s", 1s}, {"ms", 1ms}}};
constexpr Duration duration_max = 24h * 3653;

}  // namespace

std::string format_rfc5322(WallTime time) {
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm t = utc(time);
  return fmt::format(
      "{}, {} {} {} {:02}:{:02}:{:02} +0000", days[static_cast<std::size_t>(t.tm_wday)], t.tm_mday,
      months[static_cast<std::size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string format_iso8601(WallTime time) {
  const std::tm t = utc(time);
  const auto whole = std::chrono::floor<seconds>(time.time_since_epoch());
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch() - whole)
          .count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, millis);
}

std::string format_duration(Duration duration) {
  if (duration < 1ms) return "0s";
  std::string text;
  int parts = 0;
  for (const Unit& unit : units) {
    if (unit.suffix == "w") continue;
    const auto count = duration / unit.length;
    if (count == 0) {
      if (parts > 0) break;
      continue;
    }
    text += fmt::format("{}{}", count, unit.suffix);
    duration -= count * unit.length;
    if (++parts == 2) break;
  }
  return text;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Duration total{};
  while (!text.empty()) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || count < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const Unit* found = nullptr;
    const auto letters = text.substr(0, text.find_first_of("0123456789"));
    for (const Unit& unit : units)
      if (unit.suffix == letters) found = &unit;
    if (found == nullptr || count > duration_max / found->length) return std::nullopt;
    total += count * found->length;
    if (total > duration_max) return std::nullopt;
    text.remove_prefix(letters.size());
  }
  return total;
}

}  // namespace postern
