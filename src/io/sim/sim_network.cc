#include "io/sim/sim_network.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"
#include "io/sim/sim_stream.h"

namespace postern::io {
namespace {

constexpr std::uint16_t first_ephemeral_port = 32768;

bool is_any(const IpAddress& address) {
  return address == IpAddress() || address == IpAddress::from_v4({0, 0, 0, 0});
}

}  // namespace

SimFabric::~SimFabric() {
  // What a partition holds refers to the connection that holds it.
  for (const auto& [id, weak] : connections_) {
    if (const auto connection = weak.lock()) connection->held.clear();
  }
}

void SimFabric::partition(const IpAddress& a, const IpAddress& b) {
  core_.record("partition", a.text() + " " + b.text());
  partitions_.insert(ordered(a, b));
}

void SimFabric::heal(const IpAddress& a, const IpAddress& b) {
  core_.record("heal", a.text() + " " + b.text());
  partitions_.erase(ordered(a, b));
  std::vector<std::shared_ptr<SimConnection>> freed;
  for (const auto& [id, weak] : connections_) {
    auto connection = weak.lock();
    if (connection && !connection->held.empty() && !partitioned(*connection)) {
      freed.push_back(std::move(connection));
    }
  }
  for (const auto& connection : freed) {
    auto held = std::exchange(connection->held, {});
    for (auto& arrive : held) arrive();
  }
}

void SimFabric::reset_connections(const IpAddress& of) {
  for (const auto& [id, weak] : connections_) {
    const auto connection = weak.lock();
    if (!connection) continue;
    if (connection->sides[0].endpoint.address != of && connection->sides[1].endpoint.address != of)
      continue;
    send_reset(connection, 0, Duration{});
    send_reset(connection, 1, Duration{});
  }
}

std::size_t SimFabric::open_connections() const {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), [](const auto& entry) {
        const auto connection = entry.second.lock();
        return connection && (connection->sides[0].open || connection->sides[1].open);
      }));
}

void SimFabric::add_address(const IpAddress& address, HostId host) {
  CHECK(addresses_.emplace(address, host).second);
}

void SimFabric::end_host(HostId host, Duration peers_notice_after) {
  std::erase_if(listeners_, [host](const auto& entry) {
    if (entry.first.host != host) return false;
    entry.second->end();
    return true;
  });
  for (const auto& [id, weak] : connections_) {
    const auto connection = weak.lock();
    if (!connection) continue;
    for (std::size_t side : {0U, 1U}) {
      if (connection->sides[side].host != host || !connection->sides[side].open) continue;
      connection->sides[side].open = false;
      connection->sides[side].failed = true;
      if (connection->sides[1 - side].host != host) {
        send_reset(connection, 1 - side, peers_notice_after);
      }
    }
  }
}

SimListener* SimFabric::find_listener(HostId from, const Place& place) const {
  Place at = place;
  if (at.path.empty() && !at.endpoint.address.is_loopback()) {
    const auto found = addresses_.find(at.endpoint.address);
    if (found == addresses_.end()) return nullptr;
    at.host = found->second;
  } else {
    at.host = from;
  }
  auto found = listeners_.find(at);
  if (found == listeners_.end() && at.path.empty()) {
    const bool v4 = at.endpoint.address.is_v4();
    at.endpoint.address = v4 ? IpAddress::from_v4({0, 0, 0, 0}) : IpAddress();
    found = listeners_.find(at);
  }
  return found == listeners_.end() ? nullptr : found->second;
}

ConnectRule SimFabric::rule_for(const IpAddress& from, const IpAddress& to) const {
  if (partitions_.contains(ordered(from, to))) return ConnectRule::hang;
  const auto found = rules_.find(to);
  return found == rules_.end() ? ConnectRule::allow : found->second;
}

bool SimFabric::partitioned(const SimConnection& connection) const {
  return !partitions_.empty() &&
         partitions_.contains(
             ordered(connection.sides[0].endpoint.address, connection.sides[1].endpoint.address));
}

std::shared_ptr<SimConnection> SimFabric::new_connection() {
  std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
  auto connection = std::make_shared<SimConnection>();
  connection->id = ++last_connection_;
  connections_.emplace(connection->id, connection);
  return connection;
}

std::uint16_t SimFabric::next_port(HostId host) {
  std::uint16_t& port = ports_[host];
  port = port < first_ephemeral_port || port == UINT16_MAX ? first_ephemeral_port
                                                           : static_cast<std::uint16_t>(port + 1);
  return port;
}

void SimFabric::travel(const std::shared_ptr<SimConnection>& connection, std::size_t to,
                       Duration after, std::move_only_function<void()> arrive) {
  SimConnection::Side& side = connection->sides[to];
  side.last_arrival = std::max(core_.now() + after, side.last_arrival);
  core_.timers().add(
      side.last_arrival,
      [this, connection, to, epoch = side.epoch, call = std::move(arrive)]() mutable {
        if (epoch != connection->sides[to].epoch) return;
        if (partitioned(*connection) || !connection->held.empty()) {
          connection->held.push_back(std::move(call));
        } else {
          call();
        }
      },
      no_host);
}

void SimFabric::send(const std::shared_ptr<SimConnection>& connection, std::size_t to,
                     std::string bytes) {
  core_.record("send", bytes);
  connection->sides[to].on_the_way += bytes.size();
  travel(connection, to, latency(), [this, connection, to, bytes = std::move(bytes)] {
    SimConnection::Side& side = connection->sides[to];
    if (!side.open) {
      // Nobody reads there any more.
      if (!side.failed) send_reset(connection, 1 - to, latency());
      return;
    }
    core_.record("arrive", bytes);
    side.inbox += bytes;
    if (side.reader != nullptr) side.reader->resume();
  });
}

void SimFabric::send_end(const std::shared_ptr<SimConnection>& connection, std::size_t to) {
  core_.record("end", {});
  travel(connection, to, latency(), [this, connection, to] {
    core_.record("arrive end", {});
    connection->sides[to].ended = true;
    if (connection->sides[to].reader != nullptr) connection->sides[to].reader->resume();
  });
}

void SimFabric::send_reset(const std::shared_ptr<SimConnection>& connection, std::size_t to,
                           Duration after) {
  core_.record("reset", {});
  travel(connection, to, after, [this, connection, to] {
    core_.record("arrive reset", {});
    connection->sides[to].failed = true;
    connection->wake(to);
  });
}

SimFabric::AddressPair SimFabric::ordered(const IpAddress& a, const IpAddress& b) {
  return a < b ? AddressPair{a, b} : AddressPair{b, a};
}

/// A connection being made. Shared with the events on the way, which find out here whether anybody
/// still waits.
struct SimNetwork::Attempt {
  SimFabric::Place place;
  Endpoint source;
  Waiter* waiter = nullptr;  // null: given up
  bool done = false;
  std::shared_ptr<SimConnection> connection;  // null when done: refused
};

SimNetwork::SimNetwork(SimFabric& fabric, SimClock& clock, HostId host,
                       std::vector<IpAddress> addresses)
    : fabric_(fabric), clock_(clock), host_(host), addresses_(std::move(addresses)) {
  for (const IpAddress& address : addresses_) fabric_.add_address(address, host_);
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(Endpoint at) {
  const bool ours = is_any(at.address) || at.address.is_loopback() ||
                    std::find(addresses_.begin(), addresses_.end(), at.address) != addresses_.end();
  if (!ours) {
    return operator_failure(Cause::other,
                            fmt::format("listen on {}: not an address of this host", at.text()));
  }
  if (at.port == 0) at.port = fabric_.next_port(host_);
  return listen_at({host_, at, ""});
}

Result<std::unique_ptr<Listener>> SimNetwork::listen_local(std::string path) {
  return listen_at({host_, {}, std::move(path)});
}

Result<std::unique_ptr<Listener>> SimNetwork::listen_at(SimFabric::Place place) {
  if (fabric_.listeners_.contains(place)) {
    return operator_failure(Cause::in_use,
                            fmt::format("listen on {}: in use",
                                        place.path.empty() ? place.endpoint.text() : place.path));
  }
  auto listener = std::make_unique<SimListener>(fabric_, clock_, place);
  fabric_.listeners_.emplace(std::move(place), listener.get());
  return listener;
}

Result<IpAddress> SimNetwork::source_for(const IpAddress& to, const IpAddress* from) const {
  if (from == nullptr && to.is_loopback()) return to;
  for (const IpAddress& address : addresses_) {
    if (from == nullptr ? address.is_v4() == to.is_v4() : address == *from) return address;
  }
  if (from != nullptr && from->is_loopback()) return *from;
  return operator_failure(Cause::other, fmt::format("connect to {}: no source address", to.text()));
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect(Endpoint to, Deadline deadline,
                                                          const IpAddress* from) {
  CO_TRY(IpAddress source, source_for(to.address, from));
  const ConnectRule rule = fabric_.rule_for(source, to.address);
  co_return co_await connect_to({host_, to, ""}, {source, fabric_.next_port(host_)}, rule,
                                deadline);
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect_local(std::string path,
                                                                Deadline deadline) {
  co_return co_await connect_to({host_, {}, std::move(path)}, {}, ConnectRule::allow, deadline);
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect_to(SimFabric::Place place,
                                                             Endpoint source, ConnectRule rule,
                                                             Deadline deadline) {
  const std::string doing =
      "connect to " + (place.path.empty() ? place.endpoint.text() : place.path);
  fabric_.core_.record("connect", doing);
  const auto attempt = std::make_shared<Attempt>();
  attempt->place = std::move(place);
  attempt->source = source;
  Waiter waiter;
  attempt->waiter = &waiter;
  // Ends with the host: what travels must not find a waiter that is gone.
  struct GiveUp {
    Clock& clock;
    Attempt& attempt;
    Clock::TimerId timer;
    ~GiveUp() {
      attempt.waiter = nullptr;
      if (timer != 0) clock.cancel(timer);
    }
  };
  const GiveUp guard{
      clock_, *attempt,
      deadline.is_never() ? 0 : clock_.call_at(deadline.time(), [&waiter] { waiter.resume(); })};
  if (rule == ConnectRule::refuse) attempt->place.host = no_host;
  if (rule != ConnectRule::hang) {
    fabric_.core_.timers().add(
        fabric_.core_.now() + fabric_.latency(), [this, attempt] { arrive(attempt); }, no_host);
  }
  co_await waiter.suspend();
  if (!attempt->done) {
    if (attempt->connection) {
      attempt->connection->sides[0].open = false;
      fabric_.send_reset(attempt->connection, 1, fabric_.latency());
    }
    co_return peer_failure(Cause::timed_out, doing + ": no answer in time");
  }
  if (!attempt->connection) co_return peer_failure(Cause::refused, doing + ": connection refused");
  co_return std::make_unique<SimStream>(fabric_, clock_, attempt->connection, 0);
}

void SimNetwork::arrive(const std::shared_ptr<Attempt>& attempt) {
  if (attempt->waiter == nullptr) return;
  SimListener* listener =
      attempt->place.host == no_host ? nullptr : fabric_.find_listener(host_, attempt->place);
  if (listener != nullptr) {
    auto connection = fabric_.new_connection();
    connection->sides[0].host = host_;
    connection->sides[0].endpoint = attempt->source;
    connection->sides[1].host = listener->host();
    connection->sides[1].endpoint = attempt->place.endpoint;
    if (listener->offer(connection)) attempt->connection = std::move(connection);
  }
  fabric_.core_.record(attempt->connection ? "connected" : "refused", attempt->source.text());
  fabric_.core_.timers().add(
      fabric_.core_.now() + fabric_.latency(),
      [attempt] {
        attempt->done = true;
        if (attempt->waiter != nullptr) attempt->waiter->resume();
      },
      no_host);
}

}  // namespace postern::io
