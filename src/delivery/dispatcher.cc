#include "delivery/dispatcher.h"

#include <utility>

namespace postern::delivery {
namespace {

/// Dead destinations remembered; beyond, those whose time has passed are forgotten.
constexpr std::size_t destinations_wanted = 10'000;

}  // namespace

Dispatcher::Dispatcher(const io::World& world, queue::Queue& queue, dns::Resolver& resolver,
                       TlsClient* tls, Log& log, const DeliveryOptions& options)
    : around_{{world, tls, log, options,
               MxLookup(resolver, world.clock, world.entropy, lookup_options(options))},
              queue},
      tasks_(world.executor, world.clock, options.connections_max) {}

void Dispatcher::start() {
  around_.queue.on_due([this](const std::string& name) { on_due(name); });
  for (const std::string& name : around_.queue.due_destinations()) on_due(name);
}

io::Task<> Dispatcher::stop(io::Deadline deadline) {
  around_.stopping = true;
  around_.queue.on_due({});
  for (auto& [name, destination] : destinations_) destination->work.wake_all();
  io::Clock& clock = around_.world.clock;
  if (feeder_ != 0) clock.cancel(std::exchange(feeder_, 0));
  const auto timer = clock.call_at(deadline.time(), [this] { close_all(); });
  co_await tasks_.join();
  clock.cancel(timer);
}

void Dispatcher::retry_now() {
  for (auto& [name, destination] : destinations_) destination->failures = 0;
}

io::Task<> Dispatcher::remove_with_report(queue::Lease lease, std::string reason) {
  Attempted removed;
  removed.outcomes.assign(lease.recipients().size(), removed_by_administrator(reason));
  co_await Recorder(around_).record(std::move(lease), std::move(removed));
}

void Dispatcher::set_options(DeliveryOptions options) {
  around_.lookup.set_options(lookup_options(options));
  around_.options = std::move(options);
}

void Dispatcher::close_all() {
  for (Courier* courier : running_) courier->close();
}

void Dispatcher::on_due(const std::string& name) {
  if (around_.stopping) return;
  send_courier(destination(name));
}

// Wakes or starts one courier, or notes that none could be had.
void Dispatcher::send_courier(Destination& destination) {
  if (destination.work.has_waiters()) {
    destination.work.wake_one();
    return;
  }
  // One courier is enough to find out whether a dead destination lives again.
  const std::size_t couriers_max =
      destination.failures > 0 ? 1 : around_.options.connections_per_destination_max;
  if (destination.couriers >= couriers_max) {
    destination.more_work = true;
    return;
  }
  ++destination.couriers;
  if (tasks_.spawn("courier", run_courier(destination))) return;
  --destination.couriers;
  starved_.insert(destination.name);
}

io::Task<> Dispatcher::run_courier(Destination& destination) {
  struct Help {
    Dispatcher* dispatcher;
    Destination* destination;
    void operator()() const {
      if (!dispatcher->around_.stopping) dispatcher->send_courier(*destination);
    }
  };
  {
    Courier courier(around_, destination, Help{this, &destination});
    running_.insert(&courier);
    co_await courier.run();
    running_.erase(&courier);
  }
  courier_ended(destination);
}

void Dispatcher::courier_ended(Destination& destination) {
  --destination.couriers;
  if (around_.stopping) return;
  // Work that got due while no more couriers were allowed, or while this one said goodbye.
  if (std::exchange(destination.more_work, false))
    send_courier(destination);
  else if (destination.couriers == 0 && destination.failures == 0)
    destinations_.erase(std::string(destination.name));
  // This task still counts in the group, so the starved get its place a moment later.
  if (starved_.empty() || feeder_ != 0) return;
  io::Clock& clock = around_.world.clock;
  feeder_ = clock.call_at(clock.now(), [this] { feed_starved(); });
}

void Dispatcher::feed_starved() {
  feeder_ = 0;
  while (!around_.stopping && !starved_.empty() && !tasks_.full()) {
    const std::string name = *starved_.begin();
    starved_.erase(starved_.begin());
    send_courier(destination(name));
  }
}

Destination& Dispatcher::destination(const std::string& name) {
  auto& place = destinations_[name];
  if (!place) {
    place = std::make_unique<Destination>(name, around_.world.clock);
    Destination& made = *place;
    if (destinations_.size() > destinations_wanted) forget_old_destinations();
    return made;
  }
  return *place;
}

void Dispatcher::forget_old_destinations() {
  const SteadyTime now = around_.world.clock.now();
  std::erase_if(destinations_, [now](const auto& entry) {
    const Destination& destination = *entry.second;
    return destination.couriers == 0 && destination.failures > 0 && !destination.dead(now);
  });
}

}  // namespace postern::delivery
