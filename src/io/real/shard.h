#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "io/real/poller.h"
#include "io/real/real_clock.h"
#include "io/real/real_disk.h"
#include "io/real/real_entropy.h"
#include "io/real/real_network.h"
#include "io/real/real_worker.h"
#include "io/task_group.h"
#include "io/world.h"

namespace postern::io {

/// One shard of the real world: an io_context that one thread runs, with the clock, the sockets,
/// the files below one directory and the worker threads that belong to it.
class RealShard {
 public:
  struct Options {
    /// Created (not its parents) when missing.
    std::string directory;
    PortSharing sharing = PortSharing::exclusive;
  };

  /// Fails when the directory cannot be made or opened.
  static Result<std::unique_ptr<RealShard>> create(const Options& options);
  /// Not inside run(). Tasks that still wait are destroyed, the youngest first, after the workers
  /// have finished what was queued.
  ~RealShard();
  RealShard(const RealShard&) = delete;
  RealShard& operator=(const RealShard&) = delete;

  [[nodiscard]] World world();
  /// Runs everything of the shard on the calling thread until stop().
  void run();
  /// From any thread.
  void stop() { context_->stop(); }
  /// Runs `f` on the shard, later. From any thread.
  void post(std::move_only_function<void()> f);

  /// Starts `task` and runs the shard until it has ended. False when `limit` passed first; the task
  /// then stays. For tests and one-shot commands.
  [[nodiscard]] bool run_task(Task<> task, Duration limit = seconds(60));

 private:
  static constexpr std::size_t disk_threads = 4;

  RealShard();

  static Task<> run_and_stop(RealShard* shard, Task<> task, std::shared_ptr<bool> ended);

  // A pointer, because it has to end before what its tasks refer to, which needs it to begin.
  std::unique_ptr<boost::asio::io_context> context_;
  RealClock clock_;
  Poller poller_;
  RealEntropy entropy_;
  RealWorker store_worker_;
  RealWorker ledger_worker_;
  std::array<RealWorker, disk_threads> disk_workers_;
  std::unique_ptr<RealDisk> disk_;
  std::optional<RealNetwork> network_;
  TaskGroup tasks_;
};

}  // namespace postern::io
