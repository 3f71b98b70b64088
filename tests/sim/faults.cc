#include "faults.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace postern::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

}  // namespace

Director::Director(Town& town)
    : town_(town), end_(town.sim.now() + town.plan.fault_time), moment_(town.director.clock()) {
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
  if (plan.store_failures) spawn("fail store", fail_store(Dice(dice.next())));
  if (plan.disk_full) spawn("fill disk", fill_disk(Dice(dice.next())));
  if (plan.resets) spawn("break connections", break_connections(Dice(dice.next())));
  if (plan.one_byte_reads) spawn("shorten reads", shorten_reads(Dice(dice.next())));
  if (plan.lost_last_bytes) spawn("lose last bytes", lose_last_bytes(Dice(dice.next())));
  if (plan.partitions) spawn("part hosts", part_hosts(Dice(dice.next())));
  if (plan.dns_failures) spawn("fail dns", fail_dns(Dice(dice.next())));
  if (plan.flaky_next_hops) spawn("annoy", annoy(Dice(dice.next())));
}

io::Task<> Director::pause(Dice& dice, Duration most) {
  const SteadyTime until = town_.sim.now() + dice.between(milliseconds(1), most);
  co_await town_.director.clock().sleep_until(std::min(until, end_));
}

io::Task<> Director::wait_for_moment(Dice& dice) {
  co_await moment_.wait(io::Deadline::at(std::min(end_, town_.sim.now() + minutes(1))));
  co_await pause(dice, milliseconds(dice.one_in(2) ? 3 : 30));
}

io::Task<> Director::crash(Dice dice) {
  while (!over()) {
    co_await pause(dice, minutes(1));
    if (!dice.one_in(4)) co_await wait_for_moment(dice);
    if (over()) break;
    const bool power = town_.plan.power_failures && dice.one_in(2);
    town_.crash_gateway(power ? io::CrashKind::power : io::CrashKind::process, dice);
    co_await pause(dice, seconds(dice.one_in(2) ? 1 : 30));
    town_.start_gateway();
    // Now and then it fails again while it starts.
    if (!dice.one_in(5)) continue;
    co_await pause(dice, milliseconds(20));
    if (!town_.gateway_runs() || over()) continue;
    town_.crash_gateway(io::CrashKind::power, dice);
    town_.start_gateway();
  }
}

// The service manager: a gateway that ends by itself is started again.
io::Task<> Director::watch() {
  Dice dice(town_.plan.seed);
  while (!over() || town_.gateway_gave_up()) {
    co_await town_.director.clock().sleep_for(seconds(1));
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
  while (!over()) {
    for (auto& hop : town_.hops) hop->set_flaky(!dice.one_in(3));
    co_await pause(dice, minutes(2));
  }
  for (auto& hop : town_.hops) hop->set_flaky(false);
}

}  // namespace postern::sim
