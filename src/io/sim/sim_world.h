#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/sim/sim_core.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_network.h"
#include "io/sim/sim_worker.h"
#include "io/task_group.h"
#include "io/world.h"

namespace postern::io {

/// Repeatable bytes.
class SimEntropy final : public Entropy {
 public:
  explicit SimEntropy(std::uint64_t seed) : random_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  SplitMix64 random_;
};

enum class CrashKind : std::uint8_t {
  process,  ///< kill -9: the kernel keeps what was written and resets the connections
  power,    ///< what was not synced is lost by the seed; peers notice up to 20 s later
};

/// One simulated host: a shard of its own, its addresses, its disk.
class SimHost {
 public:
  SimHost(SimCore& core, SimFabric& fabric, HostId id, std::string name,
          std::vector<IpAddress> addresses, std::uint64_t seed);
  ~SimHost();
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  /// Holds until the next crash(); after that ask again.
  [[nodiscard]] World world();
  [[nodiscard]] const std::string& name() const { return name_; }
  SimDisk& disk() { return disk_; }
  SimWorker& store_worker() { return store_worker_; }
  SimWorker& ledger_worker() { return ledger_worker_; }
  SimClock& clock() { return clock_; }

  /// A root task of this host.
  bool spawn(std::string_view task_name, Task<> task) {
    return tasks_->spawn(task_name, std::move(task));
  }
  /// The host stops between two events. Its tasks are destroyed, the youngest first, without
  /// resuming; nothing of what they waited for is told to them. Objects of the host that are not in
  /// its tasks' frames must be alive during this call, and are to be destroyed after it without
  /// further use. Not to be called from a task of this host.
  void crash(CrashKind kind);

 private:
  friend class SimWorld;
  /// Destroys what is queued, and can still be named by objects that are destroyed after it.
  class ShardContext final : public boost::asio::io_context {
   public:
    using boost::asio::io_context::io_context;
    void end() { shutdown(); }
  };
  void end_shard();

  SimCore& core_;
  SimFabric& fabric_;
  HostId id_;
  std::string name_;
  SimClock clock_;
  SimNetwork network_;
  SimDisk disk_;
  SimWorker store_worker_;
  SimWorker ledger_worker_;
  SimEntropy entropy_;
  std::unique_ptr<ShardContext> ended_context_;  ///< of the last crash
  std::unique_ptr<ShardContext> context_;
  std::optional<TaskGroup> tasks_;
};

/// A world in virtual time: hosts, the network between them, and a loop that runs what is ready and
/// then jumps to the next event. Everything in it follows from the seed. One thread.
///
/// At its end it destroys the tasks that are left, so objects they refer to must outlive it, or the
/// tasks must have ended (or their host crashed) before.
class SimWorld {
 public:
  /// A run that needs more is taken for one that never ends.
  static constexpr std::uint64_t events_max_default = 20'000'000;

  explicit SimWorld(std::uint64_t seed);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  /// At most 1,000 hosts; they live as long as the world. Loopback addresses are each host's own.
  SimHost& add_host(std::string name, std::vector<IpAddress> addresses);
  SimHost& add_host(std::string name, const IpAddress& address) {
    return add_host(std::move(name), std::vector<IpAddress>{address});
  }
  SimFabric& network() { return fabric_; }
  Trace& trace() { return core_.trace(); }
  SplitMix64& random() { return core_.random(); }
  [[nodiscard]] SteadyTime now() const { return core_.now(); }

  /// Runs until this time. False when the bound of events was met.
  [[nodiscard]] bool run_until(SteadyTime time);
  [[nodiscard]] bool run_for(Duration duration) { return run_until(now() + duration); }
  /// Runs until nothing is ready and no event is left. False when the bound was met, as by
  /// something that repeats for ever.
  [[nodiscard]] bool run_until_idle();
  /// Runs until `task` on `host` has ended. False when it did not before `limit` of virtual time or
  /// the bound of events: it then stays.
  [[nodiscard]] bool run_task(SimHost& host, Task<> task, Duration limit = std::chrono::hours(24));

  /// Calls `call` once, between two events, when so many more have happened: to crash a host at any
  /// point of its life. Replaces the call that still waits.
  void after_events(std::uint64_t count, std::move_only_function<void()> call);
  [[nodiscard]] std::uint64_t events() const { return events_; }

  void set_events_max(std::uint64_t events_max) { events_max_ = events_max; }

 private:
  enum class Step : std::uint8_t { ran, idle, bound };

  static Task<> flag(Task<> task, std::shared_ptr<bool> ended);
  /// Runs everything ready, then, when there was nothing, one event not after `until`.
  Step step(SteadyTime until);
  bool run_ready();
  void count_event();

  std::uint64_t seed_;
  SimCore core_;
  SimFabric fabric_;
  std::vector<std::unique_ptr<SimHost>> hosts_;
  std::uint64_t events_ = 0;
  std::uint64_t events_max_ = events_max_default;
  std::uint64_t call_at_event_ = 0;
  std::move_only_function<void()> call_;
};

}  // namespace postern::io
