#include "faults.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace postern::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::size_t kills_max = 12;

}  // namespace

Director::Director(Town& town)
    : town_(town),
      clerk_(town.history),
      end_(town.sim.now() + town.plan.fault_time),
      moment_(town.director.clock()),
      killed_(town.director.clock()) {
  town_.upstream->on_sent([this] { moment_.wake_one(); });
  for (auto& hop : town_.hops) hop->on_taken([this] { moment_.wake_one(); });
}

void Director::start() {
  const Plan& plan = town_.plan;
  Dice dice(plan.seed * 32 + 7);
  const auto spawn = [this](const char* name, io::Task<> task) {
    CHECK(town_.director.spawn(name, std::move(task)));
  };
  spawn("watch", watch());
  if (plan.crashes) spawn("crash", crash(Dice(dice.next())));
  if (plan.kill_events != 0) spawn("kill", kill_at_events(Dice(dice.next())));
  if (plan.store_failures) spawn("fail store", fail_store(Dice(dice.next())));
  if (plan.file_failures) spawn("fail files", fail_files(Dice(dice.next())));
  if (plan.disk_full) spawn("fill disk", fill_disk(Dice(dice.next())));
  if (plan.resets) spawn("break connections", break_connections(Dice(dice.next())));
  if (plan.one_byte_reads) spawn("shorten reads", shorten_reads(Dice(dice.next())));
  if (plan.lost_last_bytes) spawn("lose last bytes", lose_last_bytes(Dice(dice.next())));
  if (plan.partitions) spawn("part hosts", part_hosts(Dice(dice.next())));
  if (plan.dns_failures) spawn("fail dns", fail_dns(Dice(dice.next())));
  if (plan.flaky_next_hops || plan.busy_next_hops) spawn("annoy", annoy(Dice(dice.next())));
  if (plan.clock_jumps) spawn("jump clock", jump_clock(Dice(dice.next())));
  if (plan.administration) spawn("administrate", administrate(Dice(dice.next())));
  if (plan.outages) spawn("take away", take_away(Dice(dice.next())));
}

Duration Director::slower(Duration duration) const {
  return Duration(
      static_cast<Duration::rep>(static_cast<double>(duration.count()) * town_.plan.pace()));
}

io::Task<> Director::pause(Dice& dice, Duration most) {
  co_await short_pause(dice, slower(most));
}

io::Task<> Director::short_pause(Dice& dice, Duration most) {
  const SteadyTime until = town_.sim.now() + dice.between(milliseconds(1), most);
  co_await town_.director.clock().sleep_until(std::min(until, end_));
}

io::Task<> Director::wait_for_moment(Dice& dice) {
  co_await moment_.wait(io::Deadline::at(std::min(end_, town_.sim.now() + slower(minutes(1)))));
  co_await short_pause(dice, milliseconds(dice.one_in(2) ? 3 : 30));
}

io::Task<> Director::crash(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(1));
    if (!dice.one_in(4)) co_await wait_for_moment(dice);
    if (over()) break;
    if (!town_.gateway_runs()) continue;
    const bool power = town_.plan.power_failures && dice.one_in(2);
    town_.crash_gateway(power ? io::CrashKind::power : io::CrashKind::process, dice);
    if (dice.one_in(2))
      co_await short_pause(dice, seconds(1));
    else
      co_await pause(dice, seconds(30));
    if (!town_.gateway_runs()) town_.start_gateway();
    // Now and then it fails again while it starts.
    if (!dice.one_in(5)) continue;
    co_await short_pause(dice, milliseconds(20));
    if (!town_.gateway_runs() || over()) continue;
    town_.crash_gateway(io::CrashKind::power, dice);
    town_.start_gateway();
  }
}

// Between any two events of the world, not only where we think that much is at stake.
io::Task<> Director::kill_at_events(Dice dice) {
  for (std::size_t count = 0; count < kills_max && !over(); ++count) {
    co_await pause(dice, minutes(2));
    const bool power = town_.plan.power_failures && dice.one_in(2);
    Dice torn(dice.next());
    town_.sim.after_events(1 + dice.below(town_.plan.kill_events), [this, power, torn]() mutable {
      if (town_.gateway_runs() && !over())
        town_.crash_gateway(power ? io::CrashKind::power : io::CrashKind::process, torn);
      killed_.wake_all();
    });
    if (!co_await killed_.wait(io::Deadline::at(end_))) break;
    co_await short_pause(dice, seconds(5));
    if (!town_.gateway_runs()) town_.start_gateway();
  }
  town_.sim.after_events(1, [] {});
}

// The service manager: a gateway that ends by itself is started again.
io::Task<> Director::watch() {
  Dice dice(town_.plan.seed);
  while (!over() || town_.gateway_gave_up()) {
    co_await town_.director.clock().sleep_for(slower(seconds(1)));
    if (!town_.gateway_gave_up()) continue;
    town_.crash_gateway(io::CrashKind::process, dice);
    town_.start_gateway();
  }
}

io::Task<> Director::fail_store(Dice dice) {
  using Failure = queue::MemoryStore::Failure;
  constexpr std::array failures = {Failure::refused, Failure::disk_full, Failure::sync_error,
                                   Failure::unknown};
  while (!over()) {
    co_await pause(dice, seconds(40));
    if (dice.one_in(2)) co_await wait_for_moment(dice);
    const std::uint64_t times = 1 + dice.below(3);
    town_.history.store_failures += static_cast<std::uint32_t>(times);
    town_.memory.fail_next(failures[dice.below(failures.size())], times);
  }
  town_.memory.fail_next(Failure::refused, 0);
}

io::Task<> Director::fail_files(Dice dice) {
  io::DiskFaults& faults = town_.gateway_host().disk().faults;
  while (!over()) {
    co_await pause(dice, minutes(1));
    ++town_.history.store_failures;
    (dice.one_in(3)   ? faults.fail_reads
     : dice.one_in(2) ? faults.fail_writes
                      : faults.fail_syncs) = true;
    co_await pause(dice, seconds(20));
    faults.fail_reads = faults.fail_writes = faults.fail_syncs = false;
  }
}

// As when somebody, or a time server, corrects it: the wall clock alone.
io::Task<> Director::jump_clock(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(8));
    if (over()) break;
    const Duration most = dice.one_in(3)   ? Duration(std::chrono::hours(48))
                          : dice.one_in(2) ? Duration(std::chrono::hours(2))
                                           : Duration(minutes(5));
    const Duration by = dice.between(seconds(1), most);
    const bool forward = dice.one_in(2);
    (forward ? town_.history.clock_forward : town_.history.clock_back) += by;
    town_.gateway_host().clock().shift_wall(forward ? by : -by);
  }
}

io::Task<> Director::take_away(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(5));
    if (over()) break;
    NextHop& hop = *dice.pick(town_.hops);
    town_.set_away(hop, true, dice.one_in(2) ? io::ConnectRule::refuse : io::ConnectRule::hang);
    co_await pause(dice, minutes(dice.one_in(2) ? 2 : 18));
    town_.set_away(hop, false, io::ConnectRule::allow);
  }
}

// The commands run on the gateway and end with it, as they do when somebody kills it.
io::Task<> Director::administrate(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(2));
    if (server::Server* server = town_.running_gateway(); server != nullptr && !over())
      CHECK(town_.gateway_host().spawn("clerk", clerk_.act(*server, Dice(dice.next()))));
  }
  // What is held then would stay for ever.
  while (!clerk_.all_released()) {
    if (server::Server* server = town_.running_gateway())
      CHECK(town_.gateway_host().spawn("clerk", clerk_.release_all(server->queue())));
    co_await town_.director.clock().sleep_for(seconds(5));
  }
}

io::Task<> Director::fill_disk(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(3));
    town_.set_disk_full(true);
    co_await pause(dice, minutes(2));
    town_.set_disk_full(false);
  }
}

io::Task<> Director::break_connections(Dice dice) {
  while (!over()) {
    town_.sim.network().faults.resets_per_mille = static_cast<std::uint32_t>(dice.below(60));
    co_await pause(dice, minutes(1));
    if (dice.one_in(2)) co_await wait_for_moment(dice);
    if (!over()) town_.sim.network().reset_connections(dice.pick(town_.neighbours()));
  }
  town_.sim.network().faults.resets_per_mille = 0;
}

io::Task<> Director::shorten_reads(Dice dice) {
  while (!over()) {
    town_.sim.network().faults.one_byte_reads = dice.one_in(2);
    co_await pause(dice, minutes(2));
  }
  town_.sim.network().faults.one_byte_reads = false;
}

io::Task<> Director::lose_last_bytes(Dice dice) {
  while (!over()) {
    town_.sim.network().faults.lose_final_bytes = dice.one_in(2);
    co_await pause(dice, minutes(2));
  }
  town_.sim.network().faults.lose_final_bytes = false;
}

// Short ones hold bytes back, long ones outlast every timeout.
io::Task<> Director::part_hosts(Dice dice) {
  while (!over()) {
    const IpAddress other = dice.pick(town_.neighbours());
    co_await pause(dice, minutes(1));
    if (dice.one_in(2)) co_await wait_for_moment(dice);
    town_.sim.network().partition(Town::gateway_address(), other);
    co_await pause(dice, dice.one_in(4) ? Duration(minutes(12)) : Duration(seconds(40)));
    town_.sim.network().heal(Town::gateway_address(), other);
  }
}

io::Task<> Director::fail_dns(Dice dice) {
  while (!over()) {
    town_.set_dns({.flaky_fails = !dice.one_in(3),
                   .reverse_fails = dice.one_in(4),
                   .forward_silent = dice.one_in(4)});
    co_await pause(dice, minutes(2));
    town_.set_dns({});
    co_await pause(dice, minutes(1));
  }
  town_.set_dns({});
}

io::Task<> Director::annoy(Dice dice) {
  const Temper temper = town_.plan.flaky_next_hops ? Temper::flaky : Temper::busy;
  while (!over()) {
    for (auto& hop : town_.hops) hop->set_temper(dice.one_in(3) ? Temper::usual : temper);
    co_await pause(dice, minutes(2));
  }
  for (auto& hop : town_.hops) hop->set_temper(Temper::usual);
}

}  // namespace postern::sim
