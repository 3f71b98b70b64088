#include "server/breaker_alerts.h"

#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "dsn/text.h"
#include "policy/breaker_text.h"

namespace postern::server {
namespace {

using policy::BreakerChange;
using policy::BreakerState;

constexpr std::size_t tasks_max = 8;

std::string rounded(Duration duration) {
  return format_duration(std::chrono::floor<std::chrono::seconds>(duration));
}

bool is_news(const BreakerChange& change) {
  return change.from == BreakerState::closed || change.to == BreakerState::closed;
}

}  // namespace

BreakerAlerts::BreakerAlerts(const io::World& world, Log& log, queue::Queue& queue,
                             policy::BreakerWatch& breaker, BreakerAlertOptions options)
    : world_(world),
      log_(log),
      queue_(queue),
      breaker_(breaker),
      options_(std::move(options)),
      tasks_(world.executor, world.clock, tasks_max) {
  breaker_.on_change([this](const BreakerChange& change) { tell(change); });
}

BreakerAlerts::~BreakerAlerts() {
  cease();
}

void BreakerAlerts::cease() {
  breaker_.on_change({});
}

io::Task<> BreakerAlerts::stop(io::Deadline deadline) {
  cease();
  if (co_await tasks_.join_until(deadline)) co_return;
  if (options_.programs != nullptr) options_.programs->stop();
  co_await tasks_.join();
}

void BreakerAlerts::tell(const BreakerChange& change) {
  log(change);
  if (!is_news(change)) return;
  const bool runs = !options_.command.empty() && options_.programs != nullptr;
  if (options_.mail_to.empty() && !runs) return;
  bool told = within_rate();
  if (told && !options_.mail_to.empty())
    told = tasks_.spawn("breaker mail", mail(options_.mail_to, letter(change)));
  if (told && runs) told = tasks_.spawn("breaker command", run(call(change)));
  if (!told)
    log_.line(Severity::warning, "breaker_alert_omitted",
              {{"reason", fmt::format("at most {} alerts an hour are sent, and {} at a time",
                                      alerts_per_hour_max, tasks_max)}});
}

void BreakerAlerts::log(const BreakerChange& change) {
  const std::string_view signal = policy::breaker_signal_name(change.signal);
  const std::string figures = policy::reading_text(change.reading);
  if (change.from == BreakerState::closed)
    log_.line(Severity::warning, "breaker_opened",
              {{"signal", signal},
               {"figures", figures},
               {"bad", change.reading.bad},
               {"total", change.reading.total},
               {"effect", enforces() ? "the unknown-IP check only observes until this is over"
                                     : "what the unknown-IP check finds until this is over is not "
                                       "to be trusted"},
               {"advice", policy::breaker_advice(change.signal)}});
  else if (change.to == BreakerState::closed)
    log_.line(Severity::warning, "breaker_closed",
              {{"signal", signal},
               {"figures", figures},
               {"bad", change.reading.bad},
               {"total", change.reading.total},
               {"open_for", rounded(change.open_for)},
               {"effect", enforces() ? "the unknown-IP check does again what its mode says"
                                     : "what the unknown-IP check finds can be trusted again"}});
  else
    log_.line(Severity::info,
              change.to == BreakerState::half_open ? "breaker_half_open" : "breaker_still_open",
              {{"signal", signal}, {"figures", figures}, {"open_for", rounded(change.open_for)}});
}

bool BreakerAlerts::within_rate() {
  const SteadyTime now = world_.clock.now();
  if (this_hour_ == 0 || now - hour_begins_ >= std::chrono::hours(1)) {
    hour_begins_ = now;
    this_hour_ = 0;
  }
  return ++this_hour_ <= alerts_per_hour_max;
}

std::string_view BreakerAlerts::subject(const BreakerChange& change) const {
  if (change.to == BreakerState::closed) return "is back (breaker closed)";
  return enforces() ? "only observes (breaker open)" : "cannot be trusted (breaker open)";
}

/// RFC 3834 section 5: Auto-Submitted keeps other programs from answering.
std::string BreakerAlerts::letter(const BreakerChange& change) const {
  const bool opened = change.to != BreakerState::closed;
  std::string body;
  const auto add = [&body](std::string_view text) { body += dsn::wrapped(text, "") + "\r\n"; };
  if (opened) {
    add(fmt::format(
        "The check \"Reject unknown IP address\" of {} {}, because it cannot trust "
        "what it finds: {}.",
        options_.hostname,
        enforces() ? "has stopped refusing clients" : "would have stopped refusing clients",
        policy::reading_text(change.reading)));
    add(enforces()
            ? "Mail is accepted as with mode = \"observe\" meanwhile, so none is lost, and "
              "clients without a confirmed name get in. The check comes back by itself when "
              "the trouble is over, and you get another message then."
            : "It only observes in any case (mode = \"observe\"), so no mail is touched. What "
              "it records until the trouble is over says nothing of the clients; you get "
              "another message then.");
    add(policy::breaker_advice(change.signal));
    add("`postern status` shows where it stands, and what it waits for.");
  } else {
    add(fmt::format("The check \"Reject unknown IP address\" of {} {}, after {}.",
                    options_.hostname,
                    enforces() ? "does again what its mode says" : "can trust again what it finds",
                    rounded(change.open_for)));
    add(fmt::format("Now: {}.", policy::reading_text(change.reading)));
  }
  return fmt::format(
             "From: Postern <postmaster@{0}>\r\nTo: <{1}>\r\nSubject: {2}: the unknown-IP check {3}"
             "\r\nDate: {4}\r\nMessage-ID: <breaker.{5:016x}@{0}>\r\n"
             "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
             options_.hostname, options_.mail_to, options_.hostname, subject(change),
             format_rfc5322(world_.clock.wall_now()), world_.entropy.next_u64()) +
         body;
}

io::Programs::Call BreakerAlerts::call(const BreakerChange& change) const {
  return {.words = options_.command,
          .environment = {
              {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
              {"POSTERN_EVENT",
               change.to == BreakerState::closed ? "breaker_closed" : "breaker_opened"},
              {"POSTERN_HOSTNAME", options_.hostname},
              {"POSTERN_TIME", format_iso8601(world_.clock.wall_now())},
              {"POSTERN_SIGNAL", std::string(policy::breaker_signal_name(change.signal))},
              {"POSTERN_FIGURES", policy::reading_text(change.reading)},
              {"POSTERN_BAD", std::to_string(change.reading.bad)},
              {"POSTERN_TOTAL", std::to_string(change.reading.total)},
              {"POSTERN_ADVICE", std::string(policy::breaker_advice(change.signal))},
          }};
}

io::Task<> BreakerAlerts::run(io::Programs::Call call) {
  const std::string program = call.words.front();
  const auto ended =
      co_await options_.programs->run(std::move(call), world_.clock.in(options_.command_timeout));
  if (!ended)
    log_.line(Severity::warning, "breaker_command_failed", {{"error", ended.error().what}});
  else if (*ended != 0)
    log_.line(Severity::warning, "breaker_command_failed",
              {{"error", fmt::format("{} ended with status {}", program, *ended)}});
}

io::Task<> BreakerAlerts::mail(std::string to, std::string content) {
  // RFC 3834 section 3.3: a null reverse path, so that nothing comes back.
  mail::Envelope envelope;
  mail::Recipient postmaster;
  postmaster.address = std::move(to);
  envelope.recipients.push_back(std::move(postmaster));
  queue::Provenance provenance;
  provenance.helo = options_.hostname;
  provenance.protocol = "alert";
  provenance.arrived = world_.clock.wall_now();
  const Result<> done = co_await enqueue(std::move(envelope), std::move(provenance), content);
  if (!done) log_.line(Severity::warning, "breaker_mail_failed", {{"error", done.error().what}});
}

io::Task<Result<>> BreakerAlerts::enqueue(mail::Envelope envelope, queue::Provenance provenance,
                                          std::string_view content) {
  CO_TRY(auto intake, queue_.begin(std::move(envelope), std::move(provenance)));
  CO_TRY_VOID(co_await intake->append(content));
  CO_TRY_VOID(co_await intake->commit());
  co_return Result<>{};
}

}  // namespace postern::server
