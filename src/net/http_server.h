#pragma once

#include <cstddef>
#include <memory>
#include <set>

#include "base/log.h"
#include "io/network.h"
#include "io/task_group.h"
#include "io/world.h"
#include "net/http_exchange.h"

namespace postern::net {

/// What an HttpServer serves. Called on its shard.
class HttpPages {
 public:
  virtual ~HttpPages() = default;
  /// Never fails: what is not there is a 404.
  virtual HttpReply page(const HttpRequest& request) = 0;
};

struct HttpOptions {
  HttpLimits limits = {};
  std::size_t connections_max = 32;
  /// For a request that has begun, and for taking its reply.
  Duration request_deadline = std::chrono::seconds(10);
  /// Between requests: longer than the minute that is usual between scrapes.
  Duration idle_max = std::chrono::seconds(150);
};

/// Serves small pages over HTTP, in the clear and to anybody who can connect: for loopback, or a
/// network that is trusted. One shard; start() once, stop() before destruction.
class HttpServer {
 public:
  /// What is given outlives the server.
  HttpServer(const io::World& world, Log& log, HttpPages& pages, HttpOptions options = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void start(std::unique_ptr<io::Listener> listener);
  /// Closes the listener and every connection, and waits for their ends.
  io::Task<> stop();

 private:
  io::Task<> accept_loop();
  io::Task<> serve(std::unique_ptr<io::Stream> stream);
  io::Task<> converse(io::Stream& stream);
  void log_refused();

  io::World world_;
  Log& log_;
  HttpPages& pages_;
  HttpOptions options_;
  std::unique_ptr<io::Listener> listener_;
  std::set<io::Stream*> streams_;
  io::TaskGroup tasks_;
  SteadyTime next_log_{};
};

}  // namespace postern::net
