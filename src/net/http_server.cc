#include "net/http_server.h"

#include <array>
#include <utility>

namespace postern::net {
namespace {

/// After a failed accept, such as for want of descriptors.
constexpr Duration accept_pause = std::chrono::seconds(1);
/// Whoever may connect can cause it: told once in this time.
constexpr Duration log_interval = std::chrono::minutes(1);

}  // namespace

HttpServer::HttpServer(const io::World& world, Log& log, HttpPages& pages, HttpOptions options)
    : world_(world),
      log_(log),
      pages_(pages),
      options_(options),
      tasks_(world.executor, world.clock, options.connections_max + 1) {}

void HttpServer::start(std::unique_ptr<io::Listener> listener) {
  listener_ = std::move(listener);
  tasks_.spawn("http accept", accept_loop());
}

io::Task<> HttpServer::stop() {
  if (listener_) listener_->close();
  for (io::Stream* stream : streams_) stream->close();
  co_await tasks_.join();
}

io::Task<> HttpServer::accept_loop() {
  while (true) {
    auto accepted = co_await listener_->accept();
    if (!accepted && accepted.error().cause == Cause::cancelled) co_return;
    if (!accepted) {
      log_.line(Severity::warning, "http_accept_failed", {{"error", accepted.error().what}});
      co_await world_.clock.sleep_for(accept_pause);
      continue;
    }
    // Dropping the stream closes it.
    if (tasks_.full() || !tasks_.spawn("http connection", serve(std::move(*accepted))))
      log_refused();
  }
}

void HttpServer::log_refused() {
  const SteadyTime now = world_.clock.now();
  if (now < next_log_) return;
  next_log_ = now + log_interval;
  log_.line(Severity::warning, "http_refused",
            {{"connections_max", std::uint64_t{options_.connections_max}}});
}

io::Task<> HttpServer::serve(std::unique_ptr<io::Stream> stream) {
  streams_.insert(stream.get());
  co_await converse(*stream);
  streams_.erase(stream.get());
}

io::Task<> HttpServer::converse(io::Stream& stream) {
  HttpExchange exchange(options_.limits);
  std::array<char, 1024> block;
  io::Deadline deadline = world_.clock.in(options_.request_deadline);
  while (exchange.wants() != HttpExchange::Wants::end) {
    const bool between = !exchange.in_middle();
    const auto count = co_await stream.read_some(block, deadline);
    if (!count || *count == 0) co_return;
    // A request has one deadline from its first byte on, however it trickles in.
    if (between) deadline = world_.clock.in(options_.request_deadline);
    exchange.feed({block.data(), *count});
    while (exchange.wants() == HttpExchange::Wants::reply)
      exchange.reply(pages_.page(exchange.request()), world_.clock.wall_now());
    const std::string output = exchange.take_output();
    if (output.empty()) continue;
    const auto sent = co_await stream.write_all(output, world_.clock.in(options_.request_deadline));
    if (!sent) co_return;
    deadline = world_.clock.in(options_.idle_max);
  }
  stream.shutdown_write();
}

}  // namespace postern::net
