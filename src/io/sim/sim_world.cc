#include "io/sim/sim_world.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "io/waiter.h"

namespace postern::io {
namespace {

constexpr int one_thread = 1;
constexpr std::size_t hosts_max = 1'000;
constexpr std::size_t root_tasks_max = 100'000;
constexpr Duration power_loss_noticed_max = seconds(20);
constexpr std::int64_t wall_start_seconds = 1'790'000'000;  // 2026-09-21

}  // namespace

WallTime SimClock::wall_now() const {
  return WallTime(seconds(wall_start_seconds) + now().time_since_epoch() + wall_shift_);
}

void SimEntropy::fill(std::span<std::uint8_t> bytes) {
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_.next() >> 32);
}

SimHost::SimHost(SimCore& core, SimFabric& fabric, HostId id, std::string name,
                 std::vector<IpAddress> addresses, std::uint64_t seed)
    : core_(core),
      fabric_(fabric),
      id_(id),
      name_(std::move(name)),
      clock_(core, id),
      network_(fabric, clock_, id, std::move(addresses)),
      disk_(core, clock_),
      store_worker_(core, clock_),
      ledger_worker_(core, clock_),
      entropy_(seed),
      context_(std::make_unique<ShardContext>(one_thread)) {
  tasks_.emplace(context_->get_executor(), clock_, root_tasks_max);
}

SimHost::~SimHost() {
  end_shard();
}

World SimHost::world() {
  return World{
      context_->get_executor(), clock_, network_, disk_, store_worker_, entropy_, ledger_worker_};
}

void SimHost::crash(CrashKind kind) {
  core_.record(kind == CrashKind::power ? "crash power" : "crash process", name_);
  fabric_.end_host(id_, kind == CrashKind::power ? core_.between(Duration{}, power_loss_noticed_max)
                                                 : fabric_.faults.latency_max);
  end_shard();
  if (kind == CrashKind::power) {
    disk_.crash();
  } else {
    disk_.end_host();
  }
  ended_context_ = std::exchange(context_, std::make_unique<ShardContext>(one_thread));
  tasks_.emplace(context_->get_executor(), clock_, root_tasks_max);
}

void SimHost::end_shard() {
  core_.timers().cancel_owner(id_);
  ParkingLot::of(context_->get_executor()).drop_all();
  context_->end();
  // A destructor may have set one.
  core_.timers().cancel_owner(id_);
}

SimWorld::SimWorld(std::uint64_t seed) : seed_(seed), core_(seed), fabric_(core_) {}

SimWorld::~SimWorld() {
  // The network's events refer to what the hosts own.
  core_.timers().cancel_owner(no_host);
  while (!hosts_.empty()) hosts_.pop_back();
}

SimHost& SimWorld::add_host(std::string name, std::vector<IpAddress> addresses) {
  CHECK(hosts_.size() < hosts_max);
  const auto id = static_cast<HostId>(hosts_.size() + 1);
  hosts_.push_back(std::make_unique<SimHost>(core_, fabric_, id, std::move(name),
                                             std::move(addresses), SplitMix64(seed_ + id).next()));
  return *hosts_.back();
}

bool SimWorld::run_until(SteadyTime time) {
  while (true) {
    switch (step(time)) {
      case Step::ran:
        break;
      case Step::bound:
        return false;
      case Step::idle:
        core_.advance_to(std::max(now(), time));
        return true;
    }
  }
}

bool SimWorld::run_until_idle() {
  Step last = Step::ran;
  while (last == Step::ran) last = step(SteadyTime::max());
  return last == Step::idle;
}

bool SimWorld::run_task(SimHost& host, Task<> task, Duration limit) {
  const auto ended = std::make_shared<bool>(false);
  if (!host.spawn("one-shot", flag(std::move(task), ended))) return false;
  const SteadyTime until = now() + limit;
  while (!*ended && step(until) == Step::ran) {
  }
  return *ended;
}

Task<> SimWorld::flag(Task<> task, std::shared_ptr<bool> ended) {
  co_await std::move(task);
  *ended = true;
}

SimWorld::Step SimWorld::step(SteadyTime until) {
  if (events_ >= events_max_) return Step::bound;
  if (run_ready()) return Step::ran;
  const auto next = core_.timers().earliest();
  if (!next || *next > until || *next == SteadyTime::max()) return Step::idle;
  core_.advance_to(std::max(now(), *next));
  auto call = core_.timers().pop_due(now());
  call();
  call = nullptr;
  count_event();
  return Step::ran;
}

void SimWorld::after_events(std::uint64_t count, std::move_only_function<void()> call) {
  call_at_event_ = events_ + std::max<std::uint64_t>(count, 1);
  call_ = std::move(call);
}

void SimWorld::count_event() {
  if (++events_ != call_at_event_) return;
  auto call = std::exchange(call_, nullptr);
  call();
}

bool SimWorld::run_ready() {
  bool ran = false;
  for (const auto& host : hosts_) {
    host->context_->restart();
    while (events_ < events_max_ && host->context_->poll_one() != 0) {
      count_event();
      ran = true;
    }
  }
  return ran;
}

}  // namespace postern::io
