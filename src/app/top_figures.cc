#include "app/top_figures.h"

#include <array>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "admin/control_protocol.h"
#include "app/reply_fields.h"

namespace postern::app {
namespace {

namespace json = boost::json;

constexpr std::array states{"pass",     "no_ptr",    "bad_name", "no_forward",
                            "mismatch", "temperror", "skipped"};

constexpr std::array<std::pair<const char*, const char*>, 4> histograms{{
    {"address check", "postern_unknown_ip_check_duration_seconds"},
    {"DNS lookup", "postern_dns_lookup_duration_seconds"},
    {"wait at RCPT", "postern_unknown_ip_wait_seconds"},
    {"delivery", "postern_delivery_attempt_duration_seconds"},
}};

TopFigures::Rates rates_by(const MetricSnapshot& before, const MetricSnapshot& now,
                           std::string_view name, std::string_view label) {
  TopFigures::Rates rates;
  for (const auto& [value, sum] : now.sums_by(name, label))
    rates[value] = now.rate(before, name, {{label, value}});
  return rates;
}

void read_status(TopFigures& figures, const json::object& status) {
  figures.hostname = text_of(status, "hostname");
  figures.version = text_of(status, "version");
  figures.mode = text_of(status, "unknown_ip_mode");
  figures.uptime_seconds = number_of(status, "uptime_seconds");
  figures.ready = flag_of(status, "ready");
  for (const json::value& trouble : array_of(status, "troubles"))
    if (trouble.is_object()) figures.troubles.push_back(text_of(trouble.get_object(), "what"));
}

std::vector<TopFigures::Refused> read_refused(const json::object& refusals, std::string_view key) {
  std::vector<TopFigures::Refused> read;
  for (const json::value& entry : array_of(refusals, key))
    if (entry.is_object()) {
      const json::object& refused = entry.get_object();
      read.push_back({text_of(refused, "client"), text_of(refused, "cause"),
                      static_cast<std::uint64_t>(number_of(refused, "count"))});
    }
  return read;
}

void read_unknown_ip(TopFigures& figures, const MetricSnapshot& before, const MetricSnapshot& now) {
  constexpr std::string_view decisions = "postern_unknown_ip_decisions_total";
  constexpr std::string_view clients = "postern_unknown_ip_clients_total";
  for (const char* state : states)
    figures.states.push_back({state, now.rate(before, decisions, {{"state", state}}),
                              now.sum(decisions, {{"state", state}})});
  const double cached = now.rate(before, clients, {{"result_from", "cache"}});
  const double checked =
      now.rate(before, clients) - now.rate(before, clients, {{"result_from", "skipped"}});
  if (checked > 0) figures.cache_share = cached / checked;
  for (const auto& [name, metric] : histograms) {
    const BucketCounts grown = now.histogram(metric).since(before.histogram(metric));
    figures.latencies.push_back({name, grown.total(), grown.percentile(0.5), grown.percentile(0.95),
                                 grown.percentile(0.99)});
  }
}

json::object rates_json(const TopFigures::Rates& rates) {
  json::object object;
  for (const auto& [name, rate] : rates) object[name] = rate;
  return object;
}

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::array refused_json(const std::vector<TopFigures::Refused>& refused) {
  json::array array;
  for (const TopFigures::Refused& entry : refused) {
    json::object object{{"cause", entry.cause}, {"count", entry.count}};
    if (!entry.client.empty()) object["client"] = entry.client;
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace

TopFigures top_figures(const json::object& status, const json::object& metrics,
                       const MetricSnapshot& before, const MetricSnapshot& now) {
  TopFigures figures;
  figures.interval_seconds = now.seconds_since(before);
  read_status(figures, status);
  figures.sessions = now.sum("postern_smtp_sessions");
  figures.connections_rate = now.rate(before, "postern_smtp_connections_total");
  figures.turned_away_rate = now.rate(before, "postern_smtp_connections_turned_away_total");
  figures.replies = rates_by(before, now, "postern_smtp_replies_total", "class");
  figures.recipients = rates_by(before, now, "postern_smtp_recipients_total", "result");
  figures.messages = rates_by(before, now, "postern_smtp_messages_total", "result");
  figures.deliveries = rates_by(before, now, "postern_delivery_recipients_total", "result");
  figures.message_bytes_rate = now.rate(before, "postern_smtp_message_bytes_total");
  figures.reports_rate = now.rate(before, "postern_delivery_reports_total");
  figures.lookups_rate = now.rate(before, "postern_dns_lookups_total");
  for (const char* failed : {"SERVFAIL", "BOGUS", "TIMEOUT"})
    figures.lookups_failed_rate +=
        now.rate(before, "postern_dns_lookups_total", {{"status", failed}});
  read_unknown_ip(figures, before, now);
  figures.queue_messages = now.sum("postern_queue_messages");
  figures.queue_oldest_seconds = now.sum("postern_queue_oldest_message_age_seconds");
  figures.queue_under_way = now.sum("postern_queue_deliveries_under_way");
  figures.queue_held = now.sum("postern_queue_held_messages");
  figures.dead_letters = now.sum("postern_queue_dead_letters");
  figures.free_bytes = now.sum("postern_spool_free_bytes");
  const json::object& refusals = object_of(metrics, "refusals");
  figures.refusals_window_seconds = number_of(refusals, "window_seconds");
  figures.clients = read_refused(refusals, "clients");
  figures.causes = read_refused(refusals, "causes");
  return figures;
}

json::object top_json(const TopFigures& figures) {
  json::array states_json;
  for (const TopFigures::State& state : figures.states)
    states_json.push_back({{"state", state.name},
                           {"per_second", state.rate},
                           {"total", admin::plain_number(state.total)}});
  json::array latencies;
  for (const TopFigures::Latency& latency : figures.latencies)
    latencies.push_back({{"of", latency.name},
                         {"count", latency.count},
                         {"p50_seconds", or_null(latency.p50)},
                         {"p95_seconds", or_null(latency.p95)},
                         {"p99_seconds", or_null(latency.p99)}});
  json::array troubles(figures.troubles.begin(), figures.troubles.end());
  return {
      {"hostname", figures.hostname},
      {"version", figures.version},
      {"unknown_ip_mode", figures.mode},
      {"uptime_seconds", admin::plain_number(figures.uptime_seconds)},
      {"interval_seconds", figures.interval_seconds},
      {"ready", figures.ready},
      {"troubles", std::move(troubles)},
      {"sessions", admin::plain_number(figures.sessions)},
      {"connections_per_second", figures.connections_rate},
      {"turned_away_per_second", figures.turned_away_rate},
      {"replies_per_second", rates_json(figures.replies)},
      {"recipients_per_second", rates_json(figures.recipients)},
      {"messages_per_second", rates_json(figures.messages)},
      {"message_bytes_per_second", figures.message_bytes_rate},
      {"deliveries_per_second", rates_json(figures.deliveries)},
      {"reports_per_second", figures.reports_rate},
      {"dns_lookups_per_second", figures.lookups_rate},
      {"dns_lookups_failed_per_second", figures.lookups_failed_rate},
      {"cache_share", or_null(figures.cache_share)},
      {"decisions", std::move(states_json)},
      {"queue",
       {{"messages", admin::plain_number(figures.queue_messages)},
        {"oldest_age_seconds", admin::plain_number(figures.queue_oldest_seconds)},
        {"under_way", admin::plain_number(figures.queue_under_way)},
        {"held", admin::plain_number(figures.queue_held)},
        {"dead_letters", admin::plain_number(figures.dead_letters)},
        {"free_bytes", admin::plain_number(figures.free_bytes)}}},
      {"latencies", std::move(latencies)},
      {"refusals",
       {{"window_seconds", admin::plain_number(figures.refusals_window_seconds)},
        {"clients", refused_json(figures.clients)},
        {"causes", refused_json(figures.causes)}}},
  };
}

}  // namespace postern::app
