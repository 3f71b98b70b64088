#include "io/real/real_worker.h"

#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/check.h"

namespace postern::io {

RealWorker::RealWorker(Executor executor, Clock& clock)
    : executor_(std::move(executor)), space_(clock), thread_([this] { work_loop(); }) {}

RealWorker::~RealWorker() {
  stop();
}

void RealWorker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Task<> RealWorker::run(std::move_only_function<void()> work) {
  while (pending_ >= queued_max) co_await space_.wait(Deadline::never());
  ++pending_;
  Job job{std::move(work), {}};
  {
    const std::lock_guard lock(mutex_);
    CHECK(!stopping_);
    queue_.push_back(&job);
  }
  changed_.notify_one();
  // The thread's answer is posted to this shard, so it cannot come before the task is suspended.
  co_await job.waiter.suspend();
  --pending_;
  space_.wake_one();
}

void RealWorker::work_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) changed_.wait(lock);
    if (queue_.empty()) return;
    Job* job = queue_.front();
    queue_.pop_front();
    lock.unlock();
    try {
      job->work();
    } catch (const std::exception& e) {
      check_failed((std::string("exception out of a worker's work: ") + e.what()).c_str());
    }
    boost::asio::post(executor_, [job] { job->waiter.resume(); });
    lock.lock();
  }
}

}  // namespace postern::io
