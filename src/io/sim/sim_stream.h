#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/sim/sim_network.h"

namespace postern::io {

/// Both ends of one simulated connection.
struct SimConnection {
  struct Side {
    HostId host = no_host;
    Endpoint endpoint;
    std::string inbox;           // arrived, not yet read
    std::size_t on_the_way = 0;  // sent to this side, not yet read: bounded by the window
    SteadyTime last_arrival;
    std::uint32_t epoch = 0;  // what travels from an older epoch is lost
    bool open = true;
    bool ended = false;   // the other side's end of stream has arrived
    bool failed = false;  // reset
    bool write_ended = false;
    Waiter* reader = nullptr;
    Waiter* writer = nullptr;
  };
  std::uint64_t id = 0;
  std::array<Side, 2> sides;
  std::deque<std::move_only_function<void()>> held;  // by a partition

  void wake(std::size_t side);
};

/// One end of a simulated connection.
class SimStream final : public Stream {
 public:
  SimStream(SimFabric& fabric, Clock& clock, std::shared_ptr<SimConnection> connection,
            std::size_t side)
      : fabric_(fabric), clock_(clock), connection_(std::move(connection)), side_(side) {}
  ~SimStream() override { close(); }

  Task<Result<>> readable(Deadline deadline) override;
  Task<Result<std::size_t>> read_some(std::span<char> into, Deadline deadline) override;
  Task<Result<>> write_all(std::string_view bytes, Deadline deadline) override;
  std::size_t write_now(std::string_view bytes) override;
  void close() override;
  void shutdown_write() override;
  [[nodiscard]] Endpoint local() const override { return mine().endpoint; }
  [[nodiscard]] Endpoint remote() const override { return theirs().endpoint; }

 private:
  static constexpr std::size_t window_bytes = 64 * 1024;

  SimConnection::Side& mine() const { return connection_->sides[side_]; }
  SimConnection::Side& theirs() const { return connection_->sides[1 - side_]; }
  Task<> wait(Waiter* SimConnection::Side::* slot, Deadline deadline);

  SimFabric& fabric_;
  Clock& clock_;
  std::shared_ptr<SimConnection> connection_;
  std::size_t side_;
};

/// A listening place of a simulated host.
class SimListener final : public Listener {
 public:
  SimListener(SimFabric& fabric, Clock& clock, SimFabric::Place place)
      : fabric_(fabric), clock_(clock), place_(std::move(place)) {}
  ~SimListener() override { close(); }

  Task<Result<std::unique_ptr<Stream>>> accept() override;
  void close() override;
  [[nodiscard]] Endpoint local() const override { return place_.endpoint; }

  /// False when the backlog is full.
  bool offer(std::shared_ptr<SimConnection> connection);
  [[nodiscard]] HostId host() const { return place_.host; }
  /// The host is gone: forgets everything, wakes nobody.
  void end() { open_ = false; }

 private:
  static constexpr std::size_t backlog_max = 4096;

  SimFabric& fabric_;
  Clock& clock_;
  SimFabric::Place place_;
  bool open_ = true;
  std::deque<std::shared_ptr<SimConnection>> backlog_;
  Waiter* waiter_ = nullptr;
};

}  // namespace postern::io
