#include "app/run.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

#include "app/configuration.h"
#include "app/configured_resolver.h"
#include "app/log_sink.h"
#include "app/options.h"
#include "app/privileges.h"
#include "app/version.h"
#include "base/text.h"
#include "io/real/real_programs.h"
#include "io/real/shard.h"
#include "io/real/signals.h"
#include "net/tls_stream.h"
#include "queue/rocksdb_store.h"
#include "server/server.h"

namespace postern::app {
namespace {

constexpr Duration drain_time_max = std::chrono::seconds(30);
/// The running program: the world, the server in it and the signals that steer it. Members are in
/// the order in which they need one another.
class Program {
 public:
  Program(std::string config, Configuration configuration)
      : config_(std::move(config)), configuration_(std::move(configuration)) {}

  /// Everything that needs root, then everything else. Error: what to tell the operator.
  Result<> prepare();
  /// From the start to the end of the server; the error keeps it from starting.
  io::Task<> serve();
  /// The task that serve() is for the shard.
  bool run_on_shard() { return shard_->run_task(serve(), std::chrono::hours(24 * 3650)); }
  [[nodiscard]] const Result<>& outcome() const { return outcome_; }

 private:
  Result<> open_log();
  Result<> bind();
  Result<> load_tls(server::ServerOptions& options) const;
  void warn_about_limits();
  Result<> reload();
  io::Task<> end_at_second(io::Signals& signals);
  void log_ready();

  std::string config_;
  Configuration configuration_;
  std::unique_ptr<io::RealShard> shard_;
  std::unique_ptr<io::RealPrograms> programs_;
  std::unique_ptr<LogSink> log_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::unique_ptr<queue::RocksdbStore> store_;
  std::unique_ptr<ConfiguredResolver> resolver_;
  std::unique_ptr<server::Server> server_;
  Result<> outcome_;
};

Result<> Program::prepare() {
  const Configuration::Server& server = configuration_.server;
  auto shard = io::RealShard::create({.directory = server.spool});
  if (!shard)
    return operator_failure(
        shard.error().cause,
        fmt::format("{}; create the spool directory and give it to the server's user, or change "
                    "[server] spool",
                    shard.error().what));
  shard_ = std::move(*shard);
  programs_ = std::make_unique<io::RealPrograms>(shard_->world().executor, shard_->world().clock);
  if (!server.user.empty()) TRY_VOID(give_to_user(server.spool, server.user));
  TRY_VOID(bind());
  TRY(server::ServerOptions options, server_options(configuration_));
  options.breaker_alerts.programs = programs_.get();
  TRY_VOID(load_tls(options));
  if (!server.user.empty()) TRY_VOID(become_user(server.user));
  TRY_VOID(open_log());
  warn_about_limits();
  TRY(store_, queue::RocksdbStore::open(server.spool + "/queue"));
  TRY(resolver_, ConfiguredResolver::create(shard_->world(), configuration_.dns));
  server_ = std::make_unique<server::Server>(shard_->world(), *log_, resolver_->resolver(), *store_,
                                             std::move(options));
  server_->on_reload_command([this] { return reload(); });
  return {};
}

Result<> Program::open_log() {
  TRY(log_, LogSink::open(log_options(configuration_), shard_->world().clock));
  return {};
}

Result<> Program::bind() {
  for (const Endpoint& endpoint : configuration_.server.listen) {
    auto listener = shard_->world().network.listen(endpoint);
    if (listener) {
      listeners_.push_back(std::move(*listener));
      continue;
    }
    std::string advice = "correct [server] listen";
    if (listener.error().cause == Cause::in_use)
      advice = fmt::format(
          "stop the program that has the port (ss -ltnp 'sport = :{}' tells which), or change "
          "[server] listen",
          endpoint.port);
    if (listener.error().cause == Cause::no_permission)
      advice =
          "start postern as root with [server] user set, or give it CAP_NET_BIND_SERVICE, or "
          "choose a port above 1023";
    return operator_failure(
        listener.error().cause,
        fmt::format("cannot listen on {}: {}; {}", endpoint.text(), listener.error().what, advice));
  }
  return {};
}

Result<> Program::load_tls(server::ServerOptions& options) const {
  const Configuration::Smtp& smtp = configuration_.smtp;
  if (smtp.tls_certificate.empty()) return {};
  TRY(net::TlsContext context,
      net::TlsContext::server(net::TlsContext::Files{smtp.tls_certificate, smtp.tls_key}));
  options.tls = std::make_shared<const net::TlsContext>(std::move(context));
  return {};
}

void Program::warn_about_limits() {
  // Beside the sessions: deliveries, the store's and the queue's files, DNS.
  constexpr std::uint64_t other_files = 2000;
  const std::uint64_t files = raise_open_files_max();
  const std::uint64_t wanted = configuration_.limits.sessions_max + other_files;
  if (files < wanted)
    log_->line(Severity::warning, "open_files_limit",
               {{"limit", files},
                {"wanted", wanted},
                {"advice",
                 "set LimitNOFILE= of the service (or ulimit -Hn) to what is wanted, or "
                 "lower [limits] sessions_max"}});
}

/// What is bound to the start keeps its value; the log says so when the file changed it.
Result<> Program::reload() {
  ReadConfiguration read = load_configuration(config_);
  for (const Diagnostic& diagnostic : read.diagnostics)
    log_->line(diagnostic.weight == Weight::error ? Severity::error : Severity::warning,
               "configuration", {{"problem", diagnostic.text()}});
  if (has_errors(read.diagnostics))
    return operator_failure(
        Cause::other, fmt::format("{} has problems, the old configuration stays; `postern check "
                                  "--config {}` tells them",
                                  config_, config_));
  TRY(server::ServerOptions options, server_options(read.configuration));
  options.breaker_alerts.programs = programs_.get();
  TRY_VOID(log_->reopen(log_options(read.configuration)));
  if (auto loaded = load_tls(options); !loaded)
    log_->line(Severity::warning, "tls_not_reloaded", {{"error", loaded.error().what}});
  const Configuration::Server& now = configuration_.server;
  const Configuration::Server& then = read.configuration.server;
  if (now.listen != then.listen || now.spool != then.spool || now.user != then.user ||
      now.control_socket != then.control_socket ||
      configuration_.admin != read.configuration.admin ||
      configuration_.dns != read.configuration.dns)
    log_->line(Severity::warning, "restart_needed",
               {{"advice",
                 "listen, spool, user, control_socket, [dns] and [admin] change with a restart"}});
  server_->reload(std::move(options));
  configuration_ = std::move(read.configuration);
  log_->line(Severity::info, "reloaded", {{"file", config_}});
  return {};
}

void Program::log_ready() {
  std::string endpoints;
  for (const Endpoint& endpoint : server_->listening())
    endpoints += (endpoints.empty() ? "" : ", ") + endpoint.text();
  const auto http = server_->serving_http();
  log_->line(Severity::info, "ready",
             {{"listening", endpoints},
              {"http", http ? http->text() : "off"},
              {"hostname", configuration_.server.hostname},
              {"version", version},
              {"control_socket", configuration_.server.control_socket}});
}

/// The operator has waited long enough. What was acknowledged is on disk, so nothing is lost.
io::Task<> Program::end_at_second(io::Signals& signals) {
  while (true) {
    const auto signal = co_await signals.next();
    if (!signal) co_return;
    if (*signal == io::Signals::Kind::drain) std::_Exit(static_cast<int>(ExitCode::failed));
  }
}

io::Task<> Program::serve() {
  // Before the start, so that a signal during it is not the end without a drain.
  io::Signals signals(shard_->world().executor);
  outcome_ = co_await server_->start(std::move(listeners_));
  if (outcome_) {
    log_ready();
    while (true) {
      const auto signal = co_await signals.next();
      if (!signal || *signal == io::Signals::Kind::drain) break;
      if (const auto reloaded = reload(); !reloaded)
        log_->line(Severity::error, "reload_failed", {{"error", reloaded.error().what}});
    }
    log_->line(Severity::info, "draining",
               {{"at_most", format_duration(drain_time_max)},
                {"advice", "a second SIGTERM ends at once"}});
  }
  io::TaskGroup impatience(shard_->world().executor, shard_->world().clock, 1);
  impatience.spawn("second signal", end_at_second(signals));
  co_await server_->stop(shard_->world().clock.in(drain_time_max));
  signals.close();
  co_await impatience.join();
  log_->line(Severity::info, "stopped", {});
}

ExitCode tell(const Error& error) {
  fmt::print(stderr, "postern: {}\n", error.what);
  return ExitCode::failed;
}

}  // namespace

ExitCode run(const Arguments& arguments) {
  ReadConfiguration read = load_configuration(arguments.config);
  for (const Diagnostic& diagnostic : read.diagnostics)
    fmt::print(stderr, "{}\n", diagnostic.text());
  if (has_errors(read.diagnostics)) {
    fmt::print(stderr, "postern: not started, since {} has problems\n", arguments.config);
    return ExitCode::failed;
  }
  Program program(arguments.config, std::move(read.configuration));
  if (const auto prepared = program.prepare(); !prepared) return tell(prepared.error());
  if (!program.run_on_shard()) return ExitCode::failed;
  if (!program.outcome()) return tell(program.outcome().error());
  return ExitCode::ok;
}

}  // namespace postern::app
