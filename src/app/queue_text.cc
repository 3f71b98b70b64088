#include <cstdio>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "app/queue_commands.h"
#include "app/time_text.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::object;

std::string text_of(const object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return printable(std::string_view(value->get_string()), 300);
}

std::uint64_t number_of(const object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  if (value == nullptr) return 0;
  return value->is_int64()               ? static_cast<std::uint64_t>(value->get_int64())
         : value->if_uint64() != nullptr ? value->get_uint64()
                                         : 0;
}

bool flag_of(const object& from, std::string_view key) {
  const auto* value = from.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (std::sscanf(std::string(text).c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &y, &mo, &d, &h, &mi,
                  &s, &ms) != 7)
    return std::nullopt;
  const year_month_day date(year(y), month(static_cast<unsigned>(mo)),
                            day(static_cast<unsigned>(d)));
  if (!date.ok()) return std::nullopt;
  return WallTime(sys_days(date).time_since_epoch() + hours(h) + minutes(mi) + seconds(s) +
                  milliseconds(ms));
}

std::string sender_of(const object& message) {
  const std::string path = text_of(message, "reverse_path");
  return path.empty() ? "<> (a report)" : path;
}

}  // namespace

std::string time_until(std::string_view time, WallTime now) {
  const auto at = parse_time(time);
  if (!at) return std::string(time);
  return time_until(*at, now);
}

std::string time_since(std::string_view time, WallTime now) {
  const auto at = parse_time(time);
  if (!at) return std::string(time);
  return time_since(*at, now);
}

std::string queue_table_head() {
  return fmt::format("{:<13}  {:>10}  {:>11}  {:>11}  {:>4}  {}\n", "ID", "BYTES", "ARRIVED",
                     "NEXT", "RCPT", "SENDER");
}

std::string queue_table_row(const object& message, WallTime now) {
  const std::string next = flag_of(message, "held") ? "held"
                           : flag_of(message, "in_delivery")
                               ? "under way"
                               : time_until(text_of(message, "next_attempt"), now);
  return fmt::format("{:<13}  {:>10}  {:>11}  {:>11}  {:>4}  {}\n", text_of(message, "id"),
                     number_of(message, "bytes"), time_since(text_of(message, "arrived"), now),
                     next, number_of(message, "recipients_waiting"), sender_of(message));
}

std::string queue_message_text(const object& message, WallTime now) {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += fmt::format("{:<10} {}\n", name, value);
  };
  const std::string name = text_of(message, "client_name");
  const std::string arrived = text_of(message, "arrived");
  add("message", text_of(message, "id"));
  add("sender", sender_of(message));
  add("arrived", fmt::format("{} ({})", arrived, time_since(arrived, now)));
  add("client", fmt::format("{} [{}], HELO {}, {}", name.empty() ? "unknown" : name,
                            text_of(message, "client"), text_of(message, "helo"),
                            text_of(message, "protocol")));
  add("bytes", fmt::to_string(number_of(message, "bytes")));
  if (flag_of(message, "held")) add("state", "held; `postern queue release` frees it");
  const auto* recipients = message.if_contains("recipients");
  if (recipients == nullptr || !recipients->is_array()) return text;
  for (const auto& entry : recipients->get_array()) {
    const object* recipient = entry.if_object();
    if (recipient == nullptr) continue;
    const std::string state = text_of(*recipient, "state");
    const std::string next = text_of(*recipient, "next_attempt");
    text += fmt::format("\n  {}\n    {} after {} attempt{}{}\n", text_of(*recipient, "address"),
                        state, number_of(*recipient, "attempts"),
                        number_of(*recipient, "attempts") == 1 ? "" : "s",
                        next.empty() ? "" : ", next " + time_until(next, now));
    const std::string reply = text_of(*recipient, "last_reply");
    const std::string remote = text_of(*recipient, "last_remote");
    // A connection's failure names the next hop itself.
    const bool names_remote = remote.empty() || reply.starts_with(remote);
    if (!reply.empty())
      text += fmt::format("    last: {}{}{}\n", names_remote ? "" : remote,
                          names_remote ? "" : ": ", reply);
  }
  return text;
}

}  // namespace postern::app
