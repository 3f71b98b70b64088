#include "server/server.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "admin/control_server.h"
#include "admin/pages.h"
#include "base/check.h"
#include "delivery/dispatcher.h"
#include "delivery/prober.h"
#include "dns/measured_resolver.h"
#include "net/http_server.h"
#include "server/breaker_status.h"
#include "server/metrics.h"
#include "server/queue_commands.h"
#include "server/recipient_probe_port.h"
#include "server/tls_client_port.h"
#include "session/smtp_server.h"
#include "session/tls.h"

namespace postern::server {
namespace {

std::string_view mode_name(policy::UnknownIpMode mode) {
  switch (mode) {
    case policy::UnknownIpMode::off:
      return "off";
    case policy::UnknownIpMode::observe:
      return "observe";
    case policy::UnknownIpMode::enforce:
      return "enforce";
  }
  return "";
}

// What shares a route shares connections and back-off: the queue asks for it by recipient domain.
Duration longest_pause(const delivery::DeliveryOptions& options) {
  CHECK(!options.retry.empty());
  Duration longest = std::ranges::max(options.retry);
  for (const delivery::Route& route : options.routes)
    for (const Duration pause : route.limits.retry) longest = std::max(longest, pause);
  return longest;
}

BreakerAlertOptions alert_options(const ServerOptions& options) {
  BreakerAlertOptions alerts = options.breaker_alerts;
  alerts.hostname = options.session.smtp.hostname;
  alerts.mode = options.unknown_ip.mode;
  return alerts;
}

queue::QueueOptions queue_options(queue::QueueOptions options,
                                  const delivery::DeliveryOptions& delivery,
                                  const delivery::RouteTable& routes) {
  options.pause_max = longest_pause(delivery);
  if (!options.destination_of)
    options.destination_of = [&routes](std::string_view domain) {
      return routes.destination_of(domain);
    };
  return options;
}

}  // namespace

struct Server::Parts {
  Parts(const io::World& the_world, Log& the_log, dns::Resolver& the_resolver, queue::Store& store,
        ServerOptions options)
      : world(the_world),
        log(the_log),
        resolver(the_resolver, world.clock),
        version(options.version),
        mode(options.unknown_ip.mode),
        routes(options.delivery.routes),
        queue(world, store, log, queue_options(std::move(options.queue), options.delivery, routes)),
        check(world, resolver, options.unknown_ip),
        breaker_alerts(world, log, queue, check.breaker(), alert_options(options)),
        prober(world, resolver, &tls_client, log, options.delivery),
        probe(prober),
        recipients(world, &probe, std::move(options.recipients)),
        dispatcher(world, queue, resolver, &tls_client, log, options.delivery),
        ledger(world, log, std::move(options.ledger)),
        smtp(world, {queue, check, recipients, log, ledger.enabled() ? &ledger : nullptr},
             std::make_shared<session::Options>(options.session)),
        hostname(options.session.smtp.hostname),
        commands(world, queue, dispatcher,
                 {.status = [this] { return status(); },
                  .metrics = [this] { return metrics(); },
                  .refusals = [this] { return refusals(); }}),
        pages(commands),
        http(world, log, pages),
        http_listen(options.http_listen),
        started(world.clock.wall_now()) {
    smtp.set_tls(session::start_tls_with(options.tls));
    if (!options.control_socket.empty())
      control.emplace(world, log, commands, admin::ControlOptions{.path = options.control_socket});
  }

  admin::Status status() const {
    admin::Status status;
    status.version = version;
    status.hostname = hostname;
    for (const Endpoint& endpoint : smtp.endpoints()) status.listening.push_back(endpoint.text());
    status.started = started;
    status.unknown_ip_mode = mode_name(mode);
    status.draining = stopping;
    status.sessions = smtp.counts().sessions;
    status.queue = queue.counts();
    const ledger::Ledger::Counts recorded = ledger.counts();
    status.ledger = {.enabled = ledger.enabled(),
                     .problem = ledger.problem(),
                     .written = recorded.written,
                     .dropped = recorded.dropped,
                     .database_bytes = recorded.database_bytes};
    status.breaker = breaker_for_people(check.breaker().status(), world.clock.wall_now());
    status.troubles = troubles(status);
    return status;
  }

  std::vector<admin::Trouble> troubles(const admin::Status& status) const {
    using Weight = admin::Trouble::Weight;
    std::vector<admin::Trouble> found;
    if (!started_up) found.push_back({Weight::not_ready, "starting: the queue is being read"});
    if (stopping) found.push_back({Weight::not_ready, "stopping: no new mail is taken"});
    if (status.queue.disk_full)
      found.push_back({Weight::not_ready,
                       "the spool's disk is full, new mail is refused for now: free some space"});
    if (!status.ledger.problem.empty())
      found.push_back({Weight::degraded, "refusals are not recorded: " + status.ledger.problem});
    if (status.queue.damaged > 0)
      found.push_back(
          {Weight::degraded,
           fmt::format("{} damaged records of the queue were set aside: stop the server "
                       "and run `postern queue fsck`",
                       status.queue.damaged)});
    if (const admin::Breaker& breaker = status.breaker; !breaker.opened_by.empty())
      found.push_back({Weight::degraded, trouble_of(breaker)});
    return found;
  }

  std::vector<admin::MetricFamily> metrics() const {
    const MetricSources sources{smtp, check, resolver, queue, dispatcher, ledger};
    return collect_metrics(sources, status());
  }

  admin::Refusals refusals() const {
    constexpr std::size_t shown_max = 20;
    const SteadyTime now = world.clock.now();
    const session::Metrics& counted = smtp.metrics();
    admin::Refusals refusals{
        .window = decltype(counted.refused)::window, .clients = {}, .causes = {}};
    for (const auto& [key, count] : counted.refused.top(shown_max, now))
      refusals.clients.push_back({key.client, key.cause, count});
    for (const auto& [cause, count] : counted.causes.top(shown_max, now))
      refusals.causes.push_back({cause, count});
    return refusals;
  }

  Result<> serve_http() {
    if (!http_listen) return {};
    auto listener = world.network.listen(*http_listen);
    if (!listener)
      return operator_failure(
          listener.error().cause,
          fmt::format("cannot listen on {} for HTTP: {}; change [admin] http_listen",
                      http_listen->text(), listener.error().what));
    http_listen = (*listener)->local();
    http.start(*std::move(listener));
    return {};
  }

  io::World world;
  Log& log;
  dns::MeasuredResolver resolver;
  std::string version;
  policy::UnknownIpMode mode;
  delivery::RouteTable routes;
  TlsClientPort tls_client;
  queue::Queue queue;
  policy::UnknownIpCheck check;
  BreakerAlerts breaker_alerts;
  delivery::Prober prober;
  RecipientProbePort probe;
  policy::RecipientCheck recipients;
  delivery::Dispatcher dispatcher;
  ledger::Ledger ledger;
  session::SmtpServer smtp;
  std::string hostname;
  QueueCommands commands;
  std::optional<admin::ControlServer> control;
  admin::Pages pages;
  net::HttpServer http;
  std::optional<Endpoint> http_listen;
  WallTime started;
  bool started_up = false;
  bool stopping = false;
};

Server::Server(const io::World& world, Log& log, dns::Resolver& resolver, queue::Store& store,
               ServerOptions options)
    : parts_(std::make_unique<Parts>(world, log, resolver, store, std::move(options))) {}

Server::~Server() = default;

io::Task<Result<>> Server::start(std::vector<std::unique_ptr<io::Listener>> listeners) {
  CO_TRY_VOID(co_await parts_->queue.recover());
  if (parts_->control) CO_TRY_VOID(parts_->control->start());
  CO_TRY_VOID(parts_->serve_http());
  parts_->ledger.start();
  parts_->dispatcher.start();
  for (auto& listener : listeners) CO_TRY_VOID(parts_->smtp.listen_on(std::move(listener)));
  parts_->started_up = true;
  co_return Result<>{};
}

io::Task<> Server::stop(io::Deadline deadline) {
  parts_->stopping = true;
  parts_->breaker_alerts.cease();
  parts_->prober.cease();
  co_await parts_->smtp.stop(deadline);
  co_await parts_->ledger.stop();
  co_await parts_->dispatcher.stop(deadline);
  if (parts_->control) co_await parts_->control->stop();
  co_await parts_->http.stop();
  parts_->resolver.stop();
  co_await parts_->check.stop();
  co_await parts_->prober.stop();
  co_await parts_->recipients.stop();
  co_await parts_->breaker_alerts.stop(deadline);
  co_await parts_->queue.drain();
}

void Server::reload(ServerOptions options) {
  parts_->mode = options.unknown_ip.mode;
  parts_->breaker_alerts.set_options(alert_options(options));
  parts_->routes = delivery::RouteTable(options.delivery.routes);
  parts_->check.set_options(options.unknown_ip);
  parts_->ledger.set_keep(options.ledger.keep);
  parts_->recipients.set_options(std::move(options.recipients));
  parts_->smtp.set_tls(session::start_tls_with(options.tls));
  parts_->smtp.set_options(std::make_shared<session::Options>(std::move(options.session)));
  parts_->prober.set_options(options.delivery);
  parts_->queue.set_pause_max(longest_pause(options.delivery));
  parts_->dispatcher.set_options(std::move(options.delivery));
}

void Server::on_reload_command(std::function<Result<>()> command) {
  parts_->commands.on_reload(std::move(command));
}

std::vector<Endpoint> Server::listening() const {
  return parts_->smtp.endpoints();
}

std::optional<Endpoint> Server::serving_http() const {
  return parts_->http_listen;
}

admin::Commands& Server::commands() {
  return parts_->commands;
}

ledger::Ledger& Server::ledger() {
  return parts_->ledger;
}

queue::Queue& Server::queue() {
  return parts_->queue;
}

}  // namespace postern::server
