#include "session/smtp_server.h"

#include <utility>

#include "base/networks.h"

namespace postern::session {
namespace {

/// After a failed accept: long enough not to spin, short enough not to be felt.
constexpr Duration accept_pause = std::chrono::milliseconds(100);
/// The buffer of a fresh socket is empty, so this passes only for a peer that is gone.
constexpr Duration turn_away_timeout = std::chrono::seconds(1);
/// A reload may raise Options::sessions_max up to this.
constexpr std::size_t tasks_max = 1'000'000;

}  // namespace

SmtpServer::SmtpServer(const io::World& world, Ports ports, SharedOptions options)
    : world_(world),
      ports_(ports),
      options_(std::move(options)),
      session_ended_(world_.clock),
      tasks_(world_.executor, world_.clock, tasks_max),
      log_limit_(world_.clock) {}

SmtpServer::~SmtpServer() = default;

Result<> SmtpServer::listen(Endpoint at) {
  TRY(auto listener, world_.network.listen(at));
  return listen_on(std::move(listener));
}

Result<> SmtpServer::listen_on(std::unique_ptr<io::Listener> listener) {
  if (listeners_.size() >= listeners_max)
    return operator_failure(Cause::limit, "too many addresses to listen on");
  listeners_.push_back(std::move(listener));
  if (!tasks_.spawn("smtp accept", accept_from(listeners_.back())))
    return our_failure(Cause::cancelled, "the server is stopping");
  return {};
}

std::vector<Endpoint> SmtpServer::endpoints() const {
  std::vector<Endpoint> endpoints;
  endpoints.reserve(listeners_.size());
  for (const auto& listener : listeners_) endpoints.push_back(listener->local());
  return endpoints;
}

SmtpServer::Counts SmtpServer::counts() const {
  return {sessions_.size(), accepted_, metrics_.turned_away.value()};
}

io::Task<> SmtpServer::accept_from(std::shared_ptr<io::Listener> listener) {
  while (!stopping_) {
    auto stream = co_await listener->accept();
    if (stream) {
      co_await admit(*std::move(stream));
      continue;
    }
    if (stream.error().cause == Cause::cancelled) co_return;
    if (log_limit_.allows())
      ports_.log.line(Severity::warning, "accept_failed",
                      {{"at", listener->local().text()}, {"what", stream.error().what}});
    co_await world_.clock.sleep_for(accept_pause);
  }
}

io::Task<> SmtpServer::admit(std::unique_ptr<io::Stream> stream) {
  ++accepted_;
  const IpAddress client = stream->remote().address;
  if (stopping_) co_return co_await turn_away(std::move(stream), "shutting down");
  if (sessions_.size() >= options_->sessions_max)
    co_return co_await turn_away(std::move(stream), "too many connections");
  // Behind a proxy are many clients: the place is taken once it has said whose connection it is.
  const bool proxied = any_contains(options_->proxies.proxy_protocol, client);
  SessionPlaces::Place of_client(places_);
  if (!proxied && !of_client.take(client, options_->sessions_per_client_max))
    co_return co_await turn_away(std::move(stream), too_many_of_client);
  const auto place = sessions_.insert(
      sessions_.end(),
      std::make_shared<Session>(
          Session::Parts{world_, ports_, buffers_, options_, start_tls_, metrics_, log_limit_,
                         std::move(of_client), proxied ? Arrival::proxied : Arrival::direct},
          std::move(stream)));
  if (!tasks_.spawn("smtp session", serve(place))) forget(place);
}

io::Task<> SmtpServer::serve(Sessions::iterator place) {
  co_await (*place)->run();
  forget(place);
  session_ended_.wake_all();
}

void SmtpServer::forget(Sessions::iterator place) {
  sessions_.erase(place);
}

io::Task<> SmtpServer::turn_away(std::unique_ptr<io::Stream> stream, std::string_view why) {
  metrics_.count_turned_away(stream->remote().address, world_.clock.now());
  log_turned_away(*stream, why);
  // RFC 5321 section 3.1: a server that cannot serve now may greet with a refusal; 421 closes.
  const smtp::Reply reply = busy_reply(options_->smtp.hostname, why);
  // Best effort: the client will see the end of the connection in any case.
  (void)co_await stream->write_all(reply.format(), world_.clock.in(turn_away_timeout));
  stream->shutdown_write();
  stream->close();
}

void SmtpServer::log_turned_away(const io::Stream& stream, std::string_view why) {
  if (!log_limit_.allows()) return;
  ports_.log.line(Severity::info, "busy",
                  {{"client", stream.remote().address.text()},
                   {"why", why},
                   {"sessions", static_cast<std::uint64_t>(sessions_.size())},
                   {"more", log_limit_.take_unlogged()}});
}

io::Task<> SmtpServer::stop(io::Deadline deadline) {
  stopping_ = true;
  for (const auto& listener : listeners_) listener->close();
  // Sessions end while others are told, so a copy is walked, which also keeps them.
  for (const auto& session : Sessions(sessions_)) co_await session->dismiss();
  while (!sessions_.empty() && co_await session_ended_.wait(deadline)) {
  }
  for (const auto& session : Sessions(sessions_)) session->abort();
  co_await tasks_.join();
}

}  // namespace postern::session
