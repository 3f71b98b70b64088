#include "delivery/dispatcher.h"

#include <algorithm>
#include <utility>

namespace postern::delivery {

Dispatcher::Dispatcher(const io::World& world, queue::Queue& queue, dns::Resolver& resolver,
                       TlsClient* tls, Log& log, const DeliveryOptions& options)
    : around_{{world, tls, log, options,
               MxLookup(resolver, world.clock, world.entropy, lookup_options(options))},
              queue,
              RouteTable(options.routes)},
      tasks_(world.executor, world.clock, options.connections_max) {}

void Dispatcher::start() {
  around_.queue.on_due([this](const std::string& name) { on_due(name); });
  for (const std::string& name : around_.queue.due_destinations()) on_due(name);
}

io::Task<> Dispatcher::stop(io::Deadline deadline) {
  around_.stopping = true;
  around_.queue.on_due({});
  io::Clock& clock = around_.world.clock;
  for (auto& [name, destination] : destinations_) {
    destination->work.wake_all();
    if (destination->timer != 0) clock.cancel(std::exchange(destination->timer, 0));
  }
  if (feeder_ != 0) clock.cancel(std::exchange(feeder_, 0));
  const auto timer = clock.call_at(deadline.time(), [this] { close_all(); });
  co_await tasks_.join();
  clock.cancel(timer);
}

void Dispatcher::retry_now() {
  for (auto& [name, destination] : destinations_) destination->forgive();
}

io::Task<> Dispatcher::remove_with_report(queue::Lease lease, std::string reason) {
  Attempted removed;
  removed.outcomes.assign(lease.recipients().size(), removed_by_administrator(reason));
  co_await Recorder(around_).record(std::move(lease), std::move(removed));
}

void Dispatcher::set_options(DeliveryOptions options) {
  around_.lookup.set_options(lookup_options(options));
  around_.routes = RouteTable(options.routes);
  around_.options = std::move(options);
  for (auto& [name, destination] : destinations_) destination->set_limits(around_.limits_of(name));
}

void Dispatcher::close_all() {
  for (Courier* courier : running_) courier->close();
}

void Dispatcher::on_due(const std::string& name) {
  if (around_.stopping) return;
  send_courier(destination(name));
}

void Dispatcher::call_help(Destination& destination) {
  if (!around_.stopping) send_courier(destination);
}

void Dispatcher::hold(Destination& destination, SteadyTime until) {
  if (around_.stopping || destination.timer != 0) return;
  destination.timer = around_.world.clock.call_at(until, [this, &destination] {
    destination.timer = 0;
    send_courier(destination);
  });
}

// Wakes or starts one courier, or notes that none could be had.
void Dispatcher::send_courier(Destination& destination) {
  if (destination.work.has_waiters()) {
    destination.work.wake_one();
    return;
  }
  if (destination.timer != 0 || destination.starved || destination.paced > 0) return;
  const SteadyTime now = around_.world.clock.now();
  if (const SteadyTime next = destination.rate.next(now); next > now)
    return hold(destination, next);
  if (destination.couriers >= destination.couriers_max())
    destination.more_work = true;
  else if (wanted() || !spawn(destination))
    starve(destination);
}

bool Dispatcher::spawn(Destination& destination) {
  destination.more_work = false;
  ++destination.couriers;
  const bool spawned = tasks_.spawn("courier", run_courier(destination));
  if (!spawned) --destination.couriers;
  count(destination);
  return spawned;
}

void Dispatcher::starve(Destination& destination) {
  if (destination.couriers > 0 && destination.couriers >= fair_share()) {
    destination.more_work = true;
    return;
  }
  destination.starved = true;
  starved_.push_back(&destination);
  count(destination);
}

bool Dispatcher::wanted(const Destination& destination) const {
  return wanted() && destination.couriers - destination.leaving > fair_share();
}

std::size_t Dispatcher::fair_share() const {
  return std::max<std::size_t>(1, around_.options.connections_max / std::max(contenders_, 1UZ));
}

void Dispatcher::count(Destination& destination) {
  const bool contends = destination.couriers > 0 || destination.starved;
  if (contends == std::exchange(destination.contends, contends)) return;
  if (contends)
    ++contenders_;
  else
    --contenders_;
}

io::Task<> Dispatcher::run_courier(Destination& destination) {
  {
    Courier courier(around_, destination, *this);
    running_.insert(&courier);
    co_await courier.run();
    running_.erase(&courier);
  }
  courier_ended(destination);
}

void Dispatcher::courier_ended(Destination& destination) {
  --destination.couriers;
  --destination.leaving;
  count(destination);
  if (around_.stopping) return;
  // Work that got due while no more couriers were allowed, or while this one said goodbye.
  if (std::exchange(destination.more_work, false)) send_courier(destination);
  if (destination.at_rest(around_.world.clock.now()))
    destinations_.erase(std::string(destination.name));
  // This task still counts in the group, so the starved get its place a moment later.
  if (starved_.empty() || feeder_ != 0) return;
  io::Clock& clock = around_.world.clock;
  feeder_ = clock.call_at(clock.now(), [this] { feed_starved(); });
}

void Dispatcher::feed_starved() {
  feeder_ = 0;
  // Each of those that wait now once: who finds no place goes back to the end.
  for (std::size_t left = starved_.size(); left > 0 && !starved_.empty(); --left) {
    if (around_.stopping || tasks_.full()) return;
    Destination& next = *starved_.front();
    starved_.pop_front();
    next.starved = false;
    count(next);
    if (next.timer != 0) continue;
    if (next.couriers >= next.couriers_max())
      next.more_work = true;
    else if (!spawn(next))
      starve(next);
  }
}

Destination& Dispatcher::destination(const std::string& name) {
  if (const auto at = destinations_.find(name); at != destinations_.end()) return *at->second;
  if (destinations_.size() >= forget_at_) forget_old_destinations();
  auto made = std::make_unique<Destination>(name, around_.limits_of(name), around_.world.clock);
  return *destinations_.emplace(name, std::move(made)).first->second;
}

void Dispatcher::forget_old_destinations() {
  const SteadyTime now = around_.world.clock.now();
  std::erase_if(destinations_, [now](const auto& entry) {
    const Destination& destination = *entry.second;
    return destination.couriers == 0 && !destination.starved && destination.timer == 0 &&
           !destination.dead(now);
  });
  // Seldom, however many there are.
  forget_at_ = std::max(destinations_wanted, 2 * destinations_.size());
}

}  // namespace postern::delivery
