#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/network.h"
#include "io/sim/sim_core.h"
#include "io/waiter.h"

namespace postern::io {

class SimListener;
struct SimConnection;

/// What may go wrong between hosts. Change it at any time; it holds for what happens from then on.
struct NetworkFaults {
  Duration latency_min = std::chrono::microseconds(100);
  Duration latency_max = std::chrono::milliseconds(2);
  bool one_byte_reads = false;
  /// A close() takes with it what has not arrived yet, and the peer sees a reset.
  bool lose_final_bytes = false;
  /// Of 1,000 writes so many reset their connection instead.
  std::uint32_t resets_per_mille = 0;
};

enum class ConnectRule : std::uint8_t { allow, refuse, hang };

/// The network between the simulated hosts: who listens where, which connections exist, what is
/// broken. Bytes travel as events of the world; connections are in order and reliable unless a
/// fault says otherwise.
class SimFabric {
 public:
  explicit SimFabric(SimCore& core) : core_(core) {}
  ~SimFabric();
  SimFabric(const SimFabric&) = delete;
  SimFabric& operator=(const SimFabric&) = delete;

  NetworkFaults faults;
  /// For connections made to this address from now on.
  void set_connect_rule(const IpAddress& to, ConnectRule rule) { rules_[to] = rule; }
  /// Nothing passes between the two, in both directions; it arrives after heal().
  void partition(const IpAddress& a, const IpAddress& b);
  void heal(const IpAddress& a, const IpAddress& b);
  void reset_connections(const IpAddress& of);
  [[nodiscard]] std::size_t open_connections() const;

  // For the hosts and their streams.
  void add_address(const IpAddress& address, HostId host);
  /// The host's sockets are gone; its peers notice after `peers_notice_after`.
  void end_host(HostId host, Duration peers_notice_after);

 private:
  friend class SimNetwork;
  friend class SimStream;
  friend class SimListener;

  /// A place to listen: an endpoint, or a path of a local socket.
  struct Place {
    HostId host = no_host;
    Endpoint endpoint;
    std::string path;
    auto operator<=>(const Place&) const = default;
  };
  using AddressPair = std::pair<IpAddress, IpAddress>;

  [[nodiscard]] SimListener* find_listener(HostId from, const Place& place) const;
  [[nodiscard]] ConnectRule rule_for(const IpAddress& from, const IpAddress& to) const;
  [[nodiscard]] bool partitioned(const SimConnection& connection) const;
  std::shared_ptr<SimConnection> new_connection();
  std::uint16_t next_port(HostId host);
  Duration latency() { return core_.between(faults.latency_min, faults.latency_max); }
  /// Sends to side `to` of the connection; in order.
  void send(const std::shared_ptr<SimConnection>& connection, std::size_t to, std::string bytes);
  void send_end(const std::shared_ptr<SimConnection>& connection, std::size_t to);
  void send_reset(const std::shared_ptr<SimConnection>& connection, std::size_t to, Duration after);
  void travel(const std::shared_ptr<SimConnection>& connection, std::size_t to, Duration after,
              std::move_only_function<void()> arrive);
  static AddressPair ordered(const IpAddress& a, const IpAddress& b);

  SimCore& core_;
  std::map<IpAddress, HostId> addresses_;
  std::map<Place, SimListener*> listeners_;
  std::map<std::uint64_t, std::weak_ptr<SimConnection>> connections_;
  std::map<IpAddress, ConnectRule> rules_;
  std::set<AddressPair> partitions_;
  std::map<HostId, std::uint16_t> ports_;
  std::uint64_t last_connection_ = 0;
};

/// The network as one host sees it.
class SimNetwork final : public Network {
 public:
  SimNetwork(SimFabric& fabric, SimClock& clock, HostId host, std::vector<IpAddress> addresses);

  Result<std::unique_ptr<Listener>> listen(Endpoint at) override;
  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline,
                                                const IpAddress* from = nullptr) override;
  Result<std::unique_ptr<Listener>> listen_local(std::string path) override;
  Task<Result<std::unique_ptr<Stream>>> connect_local(std::string path, Deadline deadline) override;

 private:
  struct Attempt;
  Result<std::unique_ptr<Listener>> listen_at(SimFabric::Place place);
  Task<Result<std::unique_ptr<Stream>>> connect_to(SimFabric::Place place, Endpoint source,
                                                   ConnectRule rule, Deadline deadline);
  void arrive(const std::shared_ptr<Attempt>& attempt);
  Result<IpAddress> source_for(const IpAddress& to, const IpAddress* from) const;

  SimFabric& fabric_;
  SimClock& clock_;
  HostId host_;
  std::vector<IpAddress> addresses_;
};

}  // namespace postern::io
