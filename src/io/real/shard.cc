#include "io/real/shard.h"

#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace postern::io {
namespace {

constexpr int one_thread = 1;
constexpr std::size_t one_shot_tasks_max = 16;

}  // namespace

Result<std::unique_ptr<RealShard>> RealShard::create(const Options& options) {
  auto shard = std::unique_ptr<RealShard>(new RealShard);
  std::vector<Worker*> workers;
  for (RealWorker& worker : shard->disk_workers_) workers.push_back(&worker);
  TRY(shard->disk_, RealDisk::open_directory(options.directory, std::move(workers)));
  shard->network_.emplace(shard->poller_, shard->clock_, options.sharing);
  return shard;
}

RealShard::RealShard()
    : context_(std::make_unique<boost::asio::io_context>(one_thread)),
      clock_(*context_),
      poller_(*context_),
      store_worker_(context_->get_executor(), clock_),
      ledger_worker_(context_->get_executor(), clock_),
      disk_workers_{RealWorker{context_->get_executor(), clock_},
                    RealWorker{context_->get_executor(), clock_},
                    RealWorker{context_->get_executor(), clock_},
                    RealWorker{context_->get_executor(), clock_}},
      tasks_(context_->get_executor(), clock_, one_shot_tasks_max) {}

RealShard::~RealShard() {
  // Work in a worker refers to frames of tasks, which end with the context.
  store_worker_.stop();
  ledger_worker_.stop();
  for (RealWorker& worker : disk_workers_) worker.stop();
  clock_.end();
  poller_.end();
  ParkingLot::of(context_->get_executor()).drop_all();
  context_.reset();
}

World RealShard::world() {
  return World{
      context_->get_executor(), clock_, *network_, *disk_, store_worker_, entropy_, ledger_worker_};
}

void RealShard::run() {
  const auto work = boost::asio::make_work_guard(*context_);
  context_->run();
  context_->restart();
}

void RealShard::post(std::move_only_function<void()> f) {
  boost::asio::post(*context_, std::move(f));
}

bool RealShard::run_task(Task<> task, Duration limit) {
  const auto ended = std::make_shared<bool>(false);
  if (!tasks_.spawn("one-shot", run_and_stop(this, std::move(task), ended))) return false;
  const Clock::TimerId timer = clock_.call_at(clock_.now() + limit, [this] { stop(); });
  run();
  clock_.cancel(timer);
  return *ended;
}

Task<> RealShard::run_and_stop(RealShard* shard, Task<> task, std::shared_ptr<bool> ended) {
  co_await std::move(task);
  *ended = true;
  shard->stop();
}

}  // namespace postern::io
