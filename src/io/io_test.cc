// What holds for tasks, timers, the disk and workers in both worlds.
#include <gtest/gtest.h>

#include "io/notify.h"
#include "io/task_group.h"
#include "io/testing/bed.h"
#include "io/timer_queue.h"

namespace postern::io {
namespace {

using std::chrono::milliseconds;

TEST(TimerQueue, RunsByTimeThenSequence) {
  TimerQueue queue;
  std::string order;
  const SteadyTime start{seconds(1)};
  queue.add(start + seconds(2), [&] { order += 'c'; });
  queue.add(start, [&] { order += 'a'; });
  queue.add(start, [&] { order += 'b'; });
  queue.add(start + seconds(9), [&] { order += 'd'; });
  while (auto call = queue.pop_due(start + seconds(2))) call();
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(queue.size(), 1U);
}

TEST(TimerQueue, CancelsOnlyWhatItNames) {
  TimerQueue queue;
  SplitMix64 random(7);
  std::map<TimerQueue::Id, std::int64_t> live;
  std::vector<std::int64_t> ran;
  for (int i = 0; i < 2000; ++i) {
    const auto at = static_cast<std::int64_t>(random.below(500));
    live[queue.add(SteadyTime(Duration(at)), [&ran, at] { ran.push_back(at); })] = at;
    if (random.below(3) == 0) {
      const auto victim =
          std::next(live.begin(), static_cast<std::ptrdiff_t>(random.below(live.size())));
      queue.cancel(victim->first);
      queue.cancel(victim->first);
      live.erase(victim);
    }
  }
  std::vector<std::int64_t> expected;
  expected.reserve(live.size());
  for (const auto& [id, at] : live) expected.push_back(at);
  std::sort(expected.begin(), expected.end());
  while (auto call = queue.pop_due(SteadyTime::max())) call();
  EXPECT_EQ(ran, expected);
}

TEST(TimerQueue, LeavesLaterSequencesForTheNextRound) {
  TimerQueue queue;
  int ran = 0;
  queue.add(SteadyTime{}, [&] { ++ran; });
  const auto end = queue.next_sequence();
  queue.add(SteadyTime{}, [&] { ++ran; });
  while (auto call = queue.pop_due(SteadyTime::max(), end)) call();
  EXPECT_EQ(ran, 1);
}

class BothWorlds : public ::testing::TestWithParam<std::string> {
 protected:
  BothWorlds() {
    if (GetParam() == "real") {
      bed_ = std::make_unique<RealBed>();
    } else {
      bed_ = std::make_unique<SimBed>();
    }
  }
  World world() { return bed_->world(); }
  void run(Task<> task) { EXPECT_TRUE(bed_->run(std::move(task))); }

  std::unique_ptr<Bed> bed_;
};

struct Waits {
  explicit Waits(const World& of) : world(of) {}

  World world;
  Notify notify{world.clock};
  TaskGroup tasks{world.executor, world.clock, 3};
  std::string order;

  Task<> wait(char name, Deadline deadline) {
    const bool woken = co_await notify.wait(deadline);
    order += woken ? name : '-';
  }
  Task<> wakes_in_order() {
    EXPECT_TRUE(tasks.spawn("a", wait('a', Deadline::never())));
    EXPECT_TRUE(tasks.spawn("b", wait('b', Deadline::never())));
    EXPECT_TRUE(tasks.spawn("c", wait('c', world.clock.in(milliseconds(5)))));
    EXPECT_FALSE(tasks.spawn("d", wait('d', Deadline::never()))) << "the group is full";
    co_await world.clock.sleep_for(milliseconds(50));
    EXPECT_EQ(order, "-") << "only the one with a deadline";
    notify.wake_one();
    EXPECT_EQ(order, "-") << "not inside the call";
    co_await world.clock.sleep_for(milliseconds(1));
    EXPECT_EQ(order, "-a");
    notify.wake_all();
    co_await tasks.join();
    EXPECT_EQ(order, "-ab");
    EXPECT_FALSE(tasks.spawn("late", wait('x', Deadline::never()))) << "joined";
    EXPECT_FALSE(notify.has_waiters());
  }
  Task<> sleeps() {
    const SteadyTime start = world.clock.now();
    co_await world.clock.sleep_for(milliseconds(30));
    EXPECT_GE(world.clock.now() - start, milliseconds(30));
    co_await world.clock.sleep_until(start);
    EXPECT_LT(world.clock.now() - start, seconds(20));
  }
  Task<> calls() {
    const SteadyTime at = world.clock.now() + milliseconds(5);
    world.clock.call_at(at, [this] { order += '1'; });
    const auto dropped = world.clock.call_at(at, [this] { order += '2'; });
    world.clock.call_at(at, [this] { order += '3'; });
    world.clock.call_at(SteadyTime{}, [this] { order += '0'; });
    world.clock.call_at(SteadyTime::max(), [this] { order += 'x'; });
    EXPECT_EQ(order, "");
    world.clock.cancel(dropped);
    co_await world.clock.sleep_until(at + milliseconds(5));
    EXPECT_EQ(order, "013");
  }
};

TEST_P(BothWorlds, NotifyAndGroup) {
  Waits waits(world());
  run(waits.wakes_in_order());
}
TEST_P(BothWorlds, Sleep) {
  Waits waits(world());
  run(waits.sleeps());
}
TEST_P(BothWorlds, CallAt) {
  Waits waits(world());
  run(waits.calls());
}

struct Works {
  explicit Works(const World& of) : world(of) {}

  World world;
  TaskGroup tasks{world.executor, world.clock, 1000};
  std::string order;
  std::string resumed;

  Task<> one(char name) {
    co_await world.store_worker.run([this, name] { order += name; });
    resumed += name;
  }
  Task<> in_order() {
    for (int i = 0; i < 500; ++i) tasks.spawn("one", one(static_cast<char>('a' + i % 26)));
    co_await tasks.join();
    EXPECT_EQ(order.size(), 500U);
    EXPECT_EQ(order, resumed);
    std::string sorted;
    for (int i = 0; i < 500; ++i) sorted += static_cast<char>('a' + i % 26);
    EXPECT_EQ(order, sorted);
  }
};

TEST_P(BothWorlds, WorkerKeepsOrder) {
  Works works(world());
  run(works.in_order());
}

struct Files {
  World world;

  Task<> round_trip() {
    Disk& disk = world.disk;
    EXPECT_TRUE(co_await disk.make_directory("queue"));
    EXPECT_TRUE(co_await disk.make_directory("queue")) << "exists already";
    auto file = co_await disk.create("queue/one");
    if (!file) co_return ADD_FAILURE();
    EXPECT_TRUE(co_await (*file)->append("hello "));
    EXPECT_TRUE(co_await (*file)->append("world"));
    EXPECT_TRUE(co_await (*file)->sync());
    EXPECT_TRUE(co_await disk.sync_directory("queue"));
    auto taken = co_await disk.create("queue/one");
    EXPECT_EQ(taken.error().cause, Cause::in_use);
    EXPECT_EQ(*co_await disk.size_bytes("queue/one"), 11U);

    char buffer[64];
    EXPECT_EQ(*co_await (*file)->read_at(6, buffer), 5U);
    EXPECT_EQ(std::string_view(buffer, 5), "world");
    EXPECT_EQ(*co_await (*file)->read_at(11, buffer), 0U);
    file->reset();

    EXPECT_TRUE(co_await disk.rename("queue/one", "queue/two"));
    auto again = co_await disk.open("queue/two");
    if (!again) co_return ADD_FAILURE();
    EXPECT_TRUE(co_await (*again)->append("!"));
    EXPECT_EQ(*co_await disk.size_bytes("queue/two"), 12U);
    EXPECT_EQ(*co_await disk.list(""), std::vector<std::string>{"queue"});
    EXPECT_EQ(*co_await disk.list("queue"), std::vector<std::string>{"two"});
    EXPECT_GT(*co_await disk.free_bytes(), 0U);
    EXPECT_TRUE(co_await disk.remove("queue/two"));
    EXPECT_EQ((co_await disk.remove("queue/two")).error().cause, Cause::not_found);
    EXPECT_EQ((co_await disk.open("queue/two")).error().cause, Cause::not_found);
    EXPECT_EQ((co_await disk.create("nowhere/x")).error().cause, Cause::not_found);
    EXPECT_EQ((co_await disk.list("nowhere")).error().cause, Cause::not_found);
  }
};

TEST_P(BothWorlds, Files) {
  Files files{world()};
  run(files.round_trip());
}

TEST_P(BothWorlds, EntropyDiffers) {
  World here = world();
  EXPECT_NE(here.entropy.next_u64(), here.entropy.next_u64());
}

INSTANTIATE_TEST_SUITE_P(Worlds, BothWorlds, ::testing::Values("real", "sim"),
                         [](const auto& info) { return info.param; });

Task<> throws() {
  throw std::runtime_error("boom");
  co_return;
}

TEST(TaskGroupDeathTest, AbortsOnAnEscapedException) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SimBed bed;
        (void)bed.run(throws());
      },
      "exception out of task.*boom");
}

}  // namespace
}  // namespace postern::io
