#include "maillog/log_time.h"

#include <array>

#include "base/text.h"

namespace postern::maillog {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::size_t syslog_bytes = 15;  // "Nov 24 06:00:01"
constexpr std::size_t day_bytes = 6;      // "Nov 24"
constexpr std::size_t iso_bytes = 19;     // "2026-11-24T06:00:01"

/// `digits` digits at `at`, or -1. A blank may stand for the first (syslog's days).
int number(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (i == at && text[i] == ' ') continue;
    if (!ascii_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// "06:00:01"
std::optional<Duration> time_of_day(std::string_view text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':' || text[0] == ' ') return std::nullopt;
  const int hour = number(text, 0, 2);
  const int minute = number(text, 3, 2);
  const int second = number(text, 6, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + seconds(second);
}

std::optional<WallTime> midnight(int year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date).time_since_epoch());
}

int year_of(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time.time_since_epoch());
  return int(std::chrono::year_month_day(std::chrono::sys_days(days)).year());
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

/// "Z", "+02:00", "+0200" in front of `text`, taken off; nothing there: `otherwise`.
Duration take_offset(std::string_view& text, Duration otherwise) {
  if (text.starts_with('Z')) {
    text.remove_prefix(1);
    return {};
  }
  if (!text.starts_with('+') && !text.starts_with('-')) return otherwise;
  const std::size_t colon = text.size() > 3 && text[3] == ':' ? 1 : 0;
  const int hours = number(text, 1, 2);
  const int minutes = number(text, 3 + colon, 2);
  if (hours < 0 || minutes < 0) return otherwise;
  const Duration offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  const bool west = text.front() == '-';
  text.remove_prefix(5 + colon);
  return west ? -offset : offset;
}

}  // namespace

LogTime::LogTime(WallTime written_until, Duration utc_offset)
    : latest_(written_until + 24h),
      utc_offset_(utc_offset),
      latest_year_(year_of(written_until + 24h)) {}

std::optional<LogTime::Stamp> LogTime::read(std::string_view line) {
  if (line.empty()) return std::nullopt;
  return ascii_digit(line.front()) ? read_iso(line) : read_syslog(line);
}

std::optional<LogTime::Stamp> LogTime::read_syslog(std::string_view line) {
  if (line.size() <= syslog_bytes || line[day_bytes] != ' ' || line[syslog_bytes] != ' ')
    return std::nullopt;
  const auto of_day = time_of_day(line.substr(day_bytes + 1));
  if (!of_day) return std::nullopt;
  const std::string_view day_text = line.substr(0, day_bytes);
  if (day_text != day_text_) {
    unsigned month = 1;
    for (; month <= months.size() && months[month - 1] != day_text.substr(0, 3); ++month) {
    }
    const int day = number(line, 4, 2);
    if (month > months.size() || day < 1 || line[3] != ' ') return std::nullopt;
    // A leap day may be four years back, or eight around a century.
    std::optional<WallTime> found;
    for (int year = latest_year_; !found && year > latest_year_ - 9; --year) {
      found = midnight(year, month, static_cast<unsigned>(day));
      if (found && *found - utc_offset_ > latest_) found.reset();
    }
    if (!found) return std::nullopt;
    day_ = *found;
    day_text_ = day_text;
  }
  return Stamp{day_ + *of_day - utc_offset_, without_blanks(line.substr(syslog_bytes))};
}

std::optional<LogTime::Stamp> LogTime::read_iso(std::string_view line) const {
  if (line.size() < iso_bytes || line[4] != '-' || line[7] != '-') return std::nullopt;
  if (line[10] != 'T' && line[10] != ' ') return std::nullopt;
  const int year = number(line, 0, 4);
  const int month = number(line, 5, 2);
  const int day = number(line, 8, 2);
  const auto of_day = time_of_day(line.substr(11));
  if (year < 1970 || year > 2200 || month < 1 || day < 1 || !of_day) return std::nullopt;
  const auto date = midnight(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  if (!date) return std::nullopt;
  WallTime time = *date + *of_day;
  std::string_view rest = line.substr(iso_bytes);
  if (rest.starts_with('.') || rest.starts_with(',')) {
    rest.remove_prefix(1);
    Duration unit = 100ms;
    while (!rest.empty() && ascii_digit(rest.front())) {
      time += unit * (rest.front() - '0');
      unit /= 10;
      rest.remove_prefix(1);
    }
  }
  // Exim's log_timezone has a blank before the offset, which would else be no part of the time.
  std::string_view behind_blank = rest;
  if (rest.starts_with(" +") || rest.starts_with(" -")) behind_blank.remove_prefix(1);
  time -= take_offset(behind_blank, utc_offset_);
  if (!behind_blank.empty() && behind_blank.front() != ' ') return std::nullopt;
  return Stamp{time, without_blanks(behind_blank)};
}

}  // namespace postern::maillog
