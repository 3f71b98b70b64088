#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "io/notify.h"
#include "io/waiter.h"
#include "io/worker.h"

namespace postern::io {

/// One thread with a bounded queue. run() is called on the shard only; a full queue makes it wait.
/// Destruction finishes what is queued, then joins: so it comes before the shard's tasks end.
class RealWorker final : public Worker {
 public:
  static constexpr std::size_t queued_max = 4096;

  RealWorker(Executor executor, Clock& clock);
  ~RealWorker() override;

  Task<> run(std::move_only_function<void()> work) override;
  /// Finishes what is queued and joins the thread. run() must not be called any more.
  void stop();

 private:
  struct Job {
    std::move_only_function<void()> work;
    Waiter waiter;
  };
  void work_loop();

  Executor executor_;
  Notify space_;
  std::size_t pending_ = 0;  // on the shard: queued or running

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job*> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postern::io
