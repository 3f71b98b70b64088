#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/commands.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/result.h"
#include "delivery/options.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "ledger/ledger.h"
#include "net/tls_context.h"
#include "policy/recipient_check.h"
#include "policy/unknown_ip.h"
#include "queue/queue.h"
#include "server/breaker_alerts.h"
#include "session/options.h"

namespace postern::server {

/// Everything one Postern is told. Each part is its room's own; empty members that the server can
/// derive (the queue's destination_of) are filled in by it.
struct ServerOptions {
  session::Options session;
  policy::UnknownIpOptions unknown_ip;
  BreakerAlertOptions breaker_alerts;  ///< hostname is filled in by the server
  policy::RecipientOptions recipients;
  queue::QueueOptions queue;
  delivery::DeliveryOptions delivery;
  ledger::LedgerOptions ledger;
  std::string control_socket;           ///< path; empty: no control socket
  std::optional<Endpoint> http_listen;  ///< where metrics and health are served; nothing: nowhere
  std::string version;                  ///< as `status` tells it
  /// For STARTTLS inbound; null: not offered. Loaded by the caller, while it may still read the
  /// key.
  std::shared_ptr<const net::TlsContext> tls;
};

/// One Postern: session, policy, queue and delivery, put together. Lives on one shard.
///
/// Lifecycle: construct, start() once, stop() once before destruction (also after a failed
/// start()). What is given by reference outlives it.
class Server {
 public:
  Server(const io::World& world, Log& log, dns::Resolver& resolver, queue::Store& store,
         ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Recovers the queue, opens the control socket and HTTP, then delivers, and accepts from
  /// `listeners` (bound by the caller, while it may still bind low ports). Error: the store or the
  /// control socket or the address for HTTP cannot be used; nothing runs.
  io::Task<Result<>> start(std::vector<std::unique_ptr<io::Listener>> listeners);

  /// Accepts no more, lets what is under way end until the deadline, then ends it. What was
  /// acknowledged is on disk. A session still open then gets 421 or is cut; an attempt that is cut
  /// is made again after the next start.
  io::Task<> stop(io::Deadline deadline);

  /// Takes new options for sessions, checks and attempts that begin from now on. What is bound to
  /// the start (spool, ports, control socket) stays.
  void reload(ServerOptions options);
  /// What the control socket's `reload` calls: reads the configuration and calls reload(). Set
  /// before start().
  void on_reload_command(std::function<Result<>()> command);

  [[nodiscard]] std::vector<Endpoint> listening() const;
  /// Where HTTP is served, with the port that the system chose; nothing when it is not.
  [[nodiscard]] std::optional<Endpoint> serving_http() const;
  queue::Queue& queue();
  ledger::Ledger& ledger();
  /// What the control socket reaches.
  admin::Commands& commands();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace postern::server
