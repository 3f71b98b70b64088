#include <cstdio>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "admin/control_protocol.h"
#include "app/metric_snapshot.h"
#include "app/reply_fields.h"
#include "app/server_talk.h"
#include "app/top_screen.h"
#include "app/watch_commands.h"
#include "base/text.h"

namespace postern::app {
namespace {

using admin::Verb;
using boost::json::object;

constexpr Duration command_time_max = std::chrono::seconds(30);

/// What happened since the server's start, beside what its `status` says.
object with_counts(object status, const MetricSnapshot& counts) {
  const auto by = [&counts](std::string_view name, std::string_view label) {
    object sums;
    for (const auto& [value, sum] : counts.sums_by(name, label))
      sums[value] = admin::plain_number(sum);
    return sums;
  };
  const auto number = [&counts](std::string_view name) {
    return admin::plain_number(counts.sum(name));
  };
  status["decisions"] = by("postern_unknown_ip_decisions_total", "state");
  status["results_from"] = by("postern_unknown_ip_clients_total", "result_from");
  status["cache_entries"] = number("postern_unknown_ip_cache_entries");
  status["connections"] = number("postern_smtp_connections_total");
  status["replies"] = by("postern_smtp_replies_total", "class");
  status["recipients"] = by("postern_smtp_recipients_total", "result");
  status["messages"] = by("postern_smtp_messages_total", "result");
  status["deliveries"] = by("postern_delivery_recipients_total", "result");
  status["reports"] = by("postern_delivery_reports_total", "action");
  status.erase("ok");
  return status;
}

/// "no_ptr 12, pass 340"; what did not happen is left out.
std::string sums_text(const object& sums) {
  std::string text;
  for (const auto& [name, sum] : sums)
    if (const double count = number_of(sums, name); count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", std::string_view(name),
                          count_text(count));
  return text.empty() ? "none" : text;
}

std::string span_text(double seconds) {
  return format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

std::string breaker_text(const object& breaker) {
  if (!flag_of(breaker, "enabled")) return "off";
  std::string text = text_of(breaker, "state");
  if (const std::string since = text_of(breaker, "since"); !since.empty())
    text += " since " + since;
  text += fmt::format(", opened {} times", count_text(number_of(breaker, "opened")));
  if (flag_of(breaker, "learning")) text += "; learning: no client had a confirmed name yet";
  return text;
}

std::string status_text(const object& status) {
  std::string text;
  const auto add = [&text](std::string_view name, const std::string& value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  const auto& troubles = array_of(status, "troubles");
  add("state", !flag_of(status, "ready") ? "NOT READY: new mail is not taken"
               : troubles.empty()        ? "ready"
                                         : "ready, but see below");
  for (const auto& trouble : troubles)
    if (trouble.is_object()) add("  !", text_of(trouble.get_object(), "what"));
  add("server",
      fmt::format("{}, postern {}, up {}", text_of(status, "hostname"), text_of(status, "version"),
                  span_text(number_of(status, "uptime_seconds"))));
  std::string listening;
  for (const auto& endpoint : array_of(status, "listening"))
    if (endpoint.is_string())
      listening +=
          (listening.empty() ? "" : ", ") + printable(std::string_view(endpoint.get_string()));
  add("listening", listening);
  add("sessions", fmt::format("{} now, {} connections since the start",
                              count_text(number_of(status, "sessions")),
                              count_text(number_of(status, "connections"))));
  add("unknown IP", fmt::format("{}; recipients by state: {}", text_of(status, "unknown_ip_mode"),
                                sums_text(object_of(status, "decisions"))));
  const object& breaker = object_of(status, "breaker");
  add("breaker", breaker_text(breaker));
  if (breaker.contains("opened_by")) {
    add("  next", "it " + text_of(breaker, "closes_when"));
    add("  look at", text_of(breaker, "advice"));
  }
  add("results from",
      fmt::format("{}; {} in the cache", sums_text(object_of(status, "results_from")),
                  count_text(number_of(status, "cache_entries"))));
  add("replies", sums_text(object_of(status, "replies")));
  add("recipients", sums_text(object_of(status, "recipients")));
  add("messages", sums_text(object_of(status, "messages")));
  const object& queue = object_of(status, "queue");
  add("queue",
      fmt::format("{} messages, the oldest {}; under way {}, held {}, dead letters {}",
                  count_text(number_of(queue, "messages")),
                  span_text(number_of(queue, "oldest_age_seconds")),
                  count_text(number_of(queue, "leased")), count_text(number_of(queue, "held")),
                  count_text(number_of(queue, "dead_letters"))));
  const object& ledger = object_of(status, "ledger");
  add("ledger", !flag_of(ledger, "enabled")
                    ? "off"
                    : fmt::format("{} events recorded, {} lost; {}B",
                                  count_text(number_of(ledger, "written")),
                                  count_text(number_of(ledger, "dropped")),
                                  count_text(number_of(ledger, "database_bytes"))));
  add("deliveries", sums_text(object_of(status, "deliveries")));
  add("reports", sums_text(object_of(status, "reports")));
  return text;
}

/// With --check: 1 when somebody should look.
io::Task<ExitCode> ask(admin::ControlClient& server, const io::World& world,
                       const Arguments& arguments) {
  const io::Deadline deadline = world.clock.in(command_time_max);
  auto status = co_await server.call({.verb = Verb::status}, deadline);
  auto metrics = status ? co_await server.call({.verb = Verb::metrics}, deadline) : status;
  if (!metrics) {
    fmt::print(stderr, "{}\n", printable(metrics.error().what, 2000));
    co_return ExitCode::failed;
  }
  const object all = with_counts(*std::move(status), MetricSnapshot(*metrics, world.clock.now()));
  if (arguments.json)
    fmt::print("{}\n", boost::json::serialize(all));
  else
    fmt::print("{}", status_text(all));
  const bool well = flag_of(all, "ready") && array_of(all, "troubles").empty();
  co_return well || !arguments.status.check ? ExitCode::ok : ExitCode::failed;
}

}  // namespace

ExitCode status(const Arguments& arguments) {
  return talk_to_server(
      arguments.config,
      [&](admin::ControlClient& server, const io::World& world) {
        return ask(server, world, arguments);
      },
      command_time_max);
}

}  // namespace postern::app
