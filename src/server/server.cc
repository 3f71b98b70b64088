#include "server/server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "admin/control_server.h"
#include "base/check.h"
#include "delivery/dispatcher.h"
#include "delivery/prober.h"
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
        resolver(the_resolver),
        version(options.version),
        mode(options.unknown_ip.mode),
        routes(options.delivery.routes),
        queue(world, store, log, queue_options(std::move(options.queue), options.delivery, routes)),
        check(world, resolver, options.unknown_ip),
        prober(world, resolver, &tls_client, log, options.delivery),
        probe(prober),
        recipients(world, &probe, std::move(options.recipients)),
        dispatcher(world, queue, resolver, &tls_client, log, options.delivery),
        ledger(world, log, std::move(options.ledger)),
        smtp(world, {queue, check, recipients, log, ledger.enabled() ? &ledger : nullptr},
             std::make_shared<session::Options>(options.session)),
        hostname(options.session.smtp.hostname),
        commands(world, queue, dispatcher, [this] { return status(); }),
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
    return status;
  }

  io::World world;
  Log& log;
  dns::Resolver& resolver;
  std::string version;
  policy::UnknownIpMode mode;
  delivery::RouteTable routes;
  TlsClientPort tls_client;
  queue::Queue queue;
  policy::UnknownIpCheck check;
  delivery::Prober prober;
  RecipientProbePort probe;
  policy::RecipientCheck recipients;
  delivery::Dispatcher dispatcher;
  ledger::Ledger ledger;
  session::SmtpServer smtp;
  std::string hostname;
  QueueCommands commands;
  std::optional<admin::ControlServer> control;
  WallTime started;
  bool stopping = false;
};

Server::Server(const io::World& world, Log& log, dns::Resolver& resolver, queue::Store& store,
               ServerOptions options)
    : parts_(std::make_unique<Parts>(world, log, resolver, store, std::move(options))) {}

Server::~Server() = default;

io::Task<Result<>> Server::start(std::vector<std::unique_ptr<io::Listener>> listeners) {
  CO_TRY_VOID(co_await parts_->queue.recover());
  if (parts_->control) CO_TRY_VOID(parts_->control->start());
  parts_->ledger.start();
  parts_->dispatcher.start();
  for (auto& listener : listeners) CO_TRY_VOID(parts_->smtp.listen_on(std::move(listener)));
  co_return Result<>{};
}

io::Task<> Server::stop(io::Deadline deadline) {
  parts_->stopping = true;
  parts_->prober.cease();
  co_await parts_->smtp.stop(deadline);
  co_await parts_->ledger.stop();
  co_await parts_->dispatcher.stop(deadline);
  if (parts_->control) co_await parts_->control->stop();
  parts_->resolver.stop();
  co_await parts_->check.stop();
  co_await parts_->prober.stop();
  co_await parts_->recipients.stop();
  co_await parts_->queue.drain();
}

void Server::reload(ServerOptions options) {
  parts_->mode = options.unknown_ip.mode;
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
