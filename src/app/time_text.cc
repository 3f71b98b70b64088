#include "app/time_text.h"

namespace postern::app {
namespace {

std::string cut(WallTime time, std::size_t length) {
  return format_iso8601(time).substr(0, length).replace(10, 1, " ");
}

}  // namespace

std::string minute_text(WallTime time) {
  return cut(time, 16);
}

std::string second_text(WallTime time) {
  return cut(time, 19);
}

std::string rounded(Duration duration) {
  return format_duration(std::chrono::floor<std::chrono::seconds>(duration));
}

std::string time_until(WallTime time, WallTime now) {
  return time - now < std::chrono::seconds(1) ? "now" : "in " + rounded(time - now);
}

std::string time_since(WallTime time, WallTime now) {
  return now - time < std::chrono::seconds(1) ? "now" : rounded(now - time) + " ago";
}

std::string time_from(WallTime time, WallTime now) {
  return time > now ? time_until(time, now) : time_since(time, now);
}

}  // namespace postern::app
