#include "server/metrics.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace postern::server {
namespace {

using admin::Label;
using admin::MetricFamily;
using admin::MetricType;
using admin::Sample;

using Families = std::vector<MetricFamily>;
using Labels = std::vector<Label>;

MetricFamily& add_family(Families& families, std::string_view name, MetricType type,
                         std::string_view help) {
  return families.emplace_back(MetricFamily{name, type, help, {}});
}

void add_counter(Families& families, std::string_view name, std::string_view help,
                 std::uint64_t value) {
  add_family(families, name, MetricType::counter, help)
      .samples.push_back({{}, static_cast<double>(value)});
}

void add_gauge(Families& families, std::string_view name, std::string_view help, double value) {
  add_family(families, name, MetricType::gauge, help).samples.push_back({{}, value});
}

void add_histogram(Families& families, std::string_view name, std::string_view help,
                   const HistogramView& histogram) {
  add_family(families, name, MetricType::histogram, help).samples.push_back({{}, histogram});
}

void add_sample(MetricFamily& family, Labels labels, const Counter& counter) {
  family.samples.push_back({std::move(labels), static_cast<double>(counter.value())});
}

/// A counter with one label: each value of an enum with its word.
template <typename Enum, std::size_t words_count, std::size_t count>
void add_counters(Families& families, std::string_view name, std::string_view help,
                  std::string_view label,
                  const std::array<std::pair<Enum, std::string_view>, words_count>& words,
                  const ByEnum<Enum, count>& counters) {
  MetricFamily& family = add_family(families, name, MetricType::counter, help);
  for (const auto& [value, word] : words)
    add_sample(family, {{label, std::string(word)}}, counters[value]);
}

constexpr std::array states{
    policy::UnknownIpState::pass,     policy::UnknownIpState::no_ptr,
    policy::UnknownIpState::bad_name, policy::UnknownIpState::no_forward,
    policy::UnknownIpState::mismatch, policy::UnknownIpState::temp_error,
    policy::UnknownIpState::skipped,
};
constexpr std::array actions{policy::Action::accept, policy::Action::tag, policy::Action::reply_450,
                             policy::Action::reply_451, policy::Action::reply_550};

void add_server(Families& families, const admin::Status& status) {
  add_family(families, "postern_build_info", MetricType::gauge, "1; the version is the label.")
      .samples.push_back({{{"version", status.version}}, 1.0});
  add_gauge(families, "postern_start_time_seconds", "When the server started, since 1970.",
            std::chrono::duration<double>(status.started.time_since_epoch()).count());
  const bool ready = std::ranges::none_of(status.troubles, [](const admin::Trouble& trouble) {
    return trouble.weight == admin::Trouble::Weight::not_ready;
  });
  add_gauge(families, "postern_ready", "1 while new mail is taken, as /readyz says.",
            ready ? 1 : 0);
  add_gauge(families, "postern_troubles",
            "Things that `postern status` says somebody should look at.",
            static_cast<double>(status.troubles.size()));
  MetricFamily& modes = add_family(families, "postern_unknown_ip_mode", MetricType::gauge,
                                   "1 for the mode that the configuration sets.");
  for (const char* mode : {"off", "observe", "enforce"})
    modes.samples.push_back({{{"mode", mode}}, status.unknown_ip_mode == mode ? 1.0 : 0.0});
}

// Every possible pair would be many that never come. Those that come by default are there from the
// start, so that their first event is seen as one.
bool is_usual(policy::UnknownIpState state, policy::Action action) {
  using policy::UnknownIpState;
  if (state == UnknownIpState::pass || state == UnknownIpState::skipped)
    return action == policy::Action::accept;
  return action == (state == UnknownIpState::temp_error ? policy::Action::reply_451
                                                        : policy::Action::reply_450);
}

void add_decisions(MetricFamily& family, const session::Metrics::Decisions& decisions,
                   std::string_view mode, session::DecidedAt step) {
  for (const auto state : states)
    for (const auto action : actions) {
      const Counter& counter = decisions[state][action];
      const bool usual = step == session::DecidedAt::rcpt && is_usual(state, action);
      if (counter.value() > 0 || usual)
        add_sample(family,
                   {{"mode", std::string(mode)},
                    {"at", std::string(session::decided_at_name(step))},
                    {"state", std::string(policy::state_name(state))},
                    {"action", std::string(policy::action_name(action))}},
                   counter);
    }
}

void add_unknown_ip(Families& families, const policy::UnknownIpCheck& check,
                    const session::Metrics& sessions) {
  const policy::UnknownIpMetrics& metrics = check.metrics();
  MetricFamily& decisions =
      add_family(families, "postern_unknown_ip_decisions_total", MetricType::counter,
                 "What was decided because of a client's address: at rcpt and at data (of the "
                 "host before a known host) each recipient once, else each client or transaction; "
                 "in mode observe the action is only recorded.");
  using session::DecidedAt;
  for (const auto step :
       {DecidedAt::connect, DecidedAt::ehlo, DecidedAt::mail, DecidedAt::rcpt, DecidedAt::data}) {
    add_decisions(decisions, sessions.enforced[step], "enforce", step);
    add_decisions(decisions, sessions.observed[step], "observe", step);
  }

  MetricFamily& clients =
      add_family(families, "postern_unknown_ip_clients_total", MetricType::counter,
                 "Connections by where the result of their address came from.");
  add_sample(clients, {{"result_from", "skipped"}}, metrics.skipped);
  add_sample(clients, {{"result_from", "cache"}}, metrics.from_cache);
  add_sample(clients, {{"result_from", "stale"}}, metrics.stale);
  add_sample(clients, {{"result_from", "check_under_way"}}, metrics.joined);
  add_sample(clients, {{"result_from", "new_check"}}, metrics.looked_up);

  MetricFamily& checks =
      add_family(families, "postern_unknown_ip_checks_total", MetricType::counter,
                 "Checks of an address that have ended, by what they found.");
  for (const auto state : states)
    if (state != policy::UnknownIpState::skipped)
      add_sample(checks, {{"state", std::string(policy::state_name(state))}}, metrics.ended[state]);
  add_counter(families, "postern_unknown_ip_checks_not_begun_total",
              "Checks that ended as temperror at once since too many were under way.",
              metrics.not_begun.value());
  add_histogram(families, "postern_unknown_ip_check_duration_seconds",
                "How long all lookups of one address took together.", metrics.latency.view());
  add_histogram(families, "postern_unknown_ip_wait_seconds",
                "How long a recipient waited for the result of the client's address.",
                sessions.verdict_wait.view());
  add_gauge(families, "postern_unknown_ip_checks_under_way", "Checks that have not ended yet.",
            static_cast<double>(check.under_way()));
  add_gauge(families, "postern_unknown_ip_cache_entries", "Addresses whose result is kept.",
            static_cast<double>(check.cached()));
}

void add_breaker(Families& families, const policy::BreakerStatus& status) {
  MetricFamily& open =
      add_family(families, "postern_unknown_ip_breaker_open", MetricType::gauge,
                 "1 for the signal for which the check only observes, since it cannot be trusted.");
  for (const policy::BreakerSignal signal : policy::breaker_signals) {
    const bool is_open = status.state != policy::BreakerState::closed && status.signal == signal;
    open.samples.push_back(
        {{{"signal", std::string(policy::breaker_signal_name(signal))}}, is_open ? 1.0 : 0.0});
  }
  add_counter(families, "postern_unknown_ip_breaker_opened_total",
              "How often the breaker of the check opened.", status.opened);
}

void add_dns(Families& families, const dns::LookupMetrics& metrics) {
  using dns::Status;
  constexpr std::array statuses{Status::ok,        Status::no_data, Status::nx_domain,
                                Status::serv_fail, Status::bogus,   Status::timed_out};
  static_assert(statuses.size() == dns::LookupMetrics::statuses);
  MetricFamily& lookups = add_family(families, "postern_dns_lookups_total", MetricType::counter,
                                     "DNS lookups by the type asked for and how they ended.");
  for (std::size_t i = 0; i < dns::LookupMetrics::types.size(); ++i)
    for (const Status status : statuses)
      add_sample(lookups,
                 {{"type", std::string(dns::type_name(dns::LookupMetrics::types[i]))},
                  {"status", std::string(dns::status_name(status))}},
                 metrics.by_type[i].answers[status]);
  MetricFamily& durations =
      add_family(families, "postern_dns_lookup_duration_seconds", MetricType::histogram,
                 "How long DNS lookups took, answers from the resolver's cache included.");
  for (std::size_t i = 0; i < dns::LookupMetrics::types.size(); ++i)
    durations.samples.push_back(
        {{{"type", std::string(dns::type_name(dns::LookupMetrics::types[i]))}},
         metrics.by_type[i].latency.view()});
}

void add_smtp(Families& families, const session::SmtpServer& smtp) {
  using session::MessageResult;
  using session::RecipientResult;
  using session::ReplyClass;
  const session::SmtpServer::Counts counts = smtp.counts();
  const session::Metrics& metrics = smtp.metrics();
  add_counter(families, "postern_smtp_connections_total", "Connections from clients.",
              counts.accepted);
  add_counter(families, "postern_smtp_connections_turned_away_total",
              "Connections that got 421 at once since there were too many.", counts.turned_away);
  add_gauge(families, "postern_smtp_sessions", "Sessions under way.",
            static_cast<double>(counts.sessions));
  add_counters(families, "postern_smtp_replies_total", "Replies to clients by their first digit.",
               "class",
               std::array{std::pair{ReplyClass::positive, std::string_view("2xx")},
                          std::pair{ReplyClass::intermediate, std::string_view("3xx")},
                          std::pair{ReplyClass::temporary, std::string_view("4xx")},
                          std::pair{ReplyClass::permanent, std::string_view("5xx")}},
               metrics.replies);
  add_counters(
      families, "postern_smtp_recipients_total",
      "Recipients named by clients, by what became of them.", "result",
      std::array{std::pair{RecipientResult::accepted, std::string_view("accepted")},
                 std::pair{RecipientResult::relay_denied, std::string_view("relay_denied")},
                 std::pair{RecipientResult::unknown_ip, std::string_view("unknown_ip")},
                 std::pair{RecipientResult::no_such_user, std::string_view("no_such_user")}},
      metrics.recipients);
  add_counters(families, "postern_smtp_messages_total",
               "Messages that clients wanted to send, by what became of them.", "result",
               std::array{std::pair{MessageResult::accepted, std::string_view("accepted")},
                          std::pair{MessageResult::refused, std::string_view("refused")},
                          std::pair{MessageResult::lost, std::string_view("lost")},
                          std::pair{MessageResult::failed, std::string_view("failed")}},
               metrics.messages);
  add_counter(families, "postern_smtp_message_bytes_total", "Content of accepted messages.",
              metrics.accepted_bytes.value());
  MetricFamily& handshakes = add_family(families, "postern_smtp_tls_handshakes_total",
                                        MetricType::counter, "TLS handshakes with clients.");
  add_sample(handshakes, {{"result", "ok"}}, metrics.handshakes);
  add_sample(handshakes, {{"result", "failed"}}, metrics.handshakes_failed);
}

void add_queue(Families& families, const queue::Queue::Counts& counts) {
  const auto gauge = [&families](std::string_view name, std::string_view help,
                                 std::uint64_t value) {
    add_gauge(families, name, help, static_cast<double>(value));
  };
  gauge("postern_queue_messages", "Messages in the queue, held ones included.", counts.messages);
  gauge("postern_queue_held_messages", "Of them, those that the administrator holds.", counts.held);
  gauge("postern_queue_deliveries_under_way",
        "Messages being delivered, once for each destination.", counts.leased);
  gauge("postern_queue_dead_letters", "Mail that failed while nobody may be told.",
        counts.dead_letters);
  add_counter(families, "postern_queue_damaged_total", "Records set aside as damaged.",
              counts.damaged);
  add_gauge(families, "postern_queue_oldest_message_age_seconds",
            "Age of the oldest message that is not held; 0 without one.",
            std::chrono::duration<double>(counts.oldest_age).count());
  gauge("postern_queue_disk_full", "1 while new mail is refused for want of disk space.",
        counts.disk_full ? 1 : 0);
  gauge("postern_spool_free_bytes",
        "Free space on the disk of the spool, as it was when the last message came.",
        counts.free_bytes);
}

void add_delivery(Families& families, const delivery::Dispatcher& dispatcher) {
  using dsn::Action;
  using queue::RecipientState;
  const delivery::Metrics& metrics = dispatcher.metrics();
  add_counters(families, "postern_delivery_recipients_total",
               "What attempts came to, for each recipient.", "result",
               std::array{std::pair{RecipientState::delivered, std::string_view("delivered")},
                          std::pair{RecipientState::waiting, std::string_view("deferred")},
                          std::pair{RecipientState::failed, std::string_view("bounced")},
                          std::pair{RecipientState::dead, std::string_view("dead_letter")}},
               metrics.outcomes);
  add_histogram(families, "postern_delivery_attempt_duration_seconds",
                "How long an attempt took: connecting, and everything said.",
                metrics.attempt.view());
  add_histogram(families, "postern_delivery_delay_seconds",
                "From a message's arrival to its delivery, for each recipient.",
                metrics.delay.view());
  MetricFamily& reports = add_family(families, "postern_delivery_reports_total",
                                     MetricType::counter, "Reports queued, by what they tell.");
  add_sample(reports, {{"action", "failed"}}, metrics.reports[Action::failed]);
  add_sample(reports, {{"action", "delayed"}}, metrics.reports[Action::delayed]);
  add_sample(reports, {{"action", "delivered"}}, metrics.reports[Action::delivered]);
  add_sample(reports, {{"action", "relayed"}}, metrics.reports[Action::relayed]);
  add_sample(reports, {{"action", "postmaster"}}, metrics.reports_to_postmaster);
  add_gauge(families, "postern_delivery_connections",
            "Deliveries that have a connection or want one.",
            static_cast<double>(dispatcher.couriers()));
}

void add_ledger(Families& families, const ledger::Ledger& ledger) {
  const ledger::Ledger::Counts counts = ledger.counts();
  add_gauge(families, "postern_ledger_enabled", "1 when refusals are recorded.",
            ledger.enabled() ? 1 : 0);
  add_gauge(families, "postern_ledger_failing", "1 while nothing can be recorded.",
            ledger.problem().empty() ? 0 : 1);
  add_counter(families, "postern_ledger_events_written_total", "Events that were recorded.",
              counts.written);
  add_counter(families, "postern_ledger_events_dropped_total",
              "Events that were lost since they could not be recorded.", counts.dropped);
  add_counter(families, "postern_ledger_errors_total", "Failures of the database.", counts.errors);
  add_counter(families, "postern_ledger_batches_total", "Batches that were written.",
              counts.batches);
  add_family(families, "postern_ledger_batch_seconds_total", MetricType::counter,
             "How long all batches together waited for the disk and were written.")
      .samples.push_back({{}, std::chrono::duration<double>(counts.batch_time).count()});
  add_gauge(families, "postern_ledger_buffered_events", "Events that wait to be written.",
            static_cast<double>(counts.buffered));
  add_gauge(families, "postern_ledger_database_bytes", "Size of the database.",
            static_cast<double>(counts.database_bytes));
  add_gauge(families, "postern_ledger_open_deferrals",
            "Refused deliveries that may be tried again.",
            static_cast<double>(counts.deferrals_open));
}

}  // namespace

std::vector<admin::MetricFamily> collect_metrics(const MetricSources& sources,
                                                 const admin::Status& status) {
  Families families;
  families.reserve(64);
  add_server(families, status);
  add_unknown_ip(families, sources.check, sources.smtp.metrics());
  add_breaker(families, sources.check.breaker().status());
  add_dns(families, sources.resolver.metrics());
  add_smtp(families, sources.smtp);
  add_queue(families, status.queue);
  add_delivery(families, sources.dispatcher);
  add_ledger(families, sources.ledger);
  return families;
}

}  // namespace postern::server
