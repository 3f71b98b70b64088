#include "queue/schedule.h"

#include <cstdio>
#include <gtest/gtest.h>
#include <malloc.h>

#include "io/sim/sim_world.h"

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace postern::queue {
namespace {

std::size_t allocated_bytes() {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return __sanitizer_get_current_allocated_bytes();
#else
  return mallinfo2().uordblks;
#endif
}

class ScheduleTest : public testing::Test {
 protected:
  [[nodiscard]] WallTime in(Duration duration) { return host.clock().wall_now() + duration; }
  io::SimWorld sim{1};
  io::SimHost& host = sim.add_host("gw", *IpAddress::parse("192.0.2.10"));
  void add(std::uint64_t id, const std::string& destination, WallTime due,
           std::string_view from = "a@example.org") {
    schedule.add(MessageId{id}, destination, due,
                 {.reverse_path = from, .lifetime_from = in(seconds(0)), .delay_owed = true});
  }
  Schedule schedule{host.clock(), 7};
};

TEST_F(ScheduleTest, AWallClockThatIsSetNeitherDelaysNorHastens) {
  std::vector<std::string> told;
  schedule.on_due([&told](const std::string& destination) { told.push_back(destination); });
  add(1, "x.example", in(seconds(-1)));
  add(2, "y.example", in(seconds(30)));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(told.size(), 1U);
  host.clock().shift_wall(-std::chrono::hours(24));
  EXPECT_TRUE(schedule.take("x.example")) << "what was due stays so";
  EXPECT_EQ(schedule.next_due(MessageId{2}), in(seconds(29)));
  ASSERT_TRUE(sim.run_for(seconds(28)));
  EXPECT_FALSE(schedule.take("y.example"));
  host.clock().shift_wall(std::chrono::hours(72));
  EXPECT_FALSE(schedule.take("y.example"));
  EXPECT_EQ(told.size(), 1U);
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(told.size(), 2U);
  EXPECT_TRUE(schedule.take("y.example"));
}

TEST_F(ScheduleTest, WhatIsOverdueKeepsItsOrderAndTheDistantFutureIsOne) {
  add(1, "x.example", in(seconds(-1)));
  add(2, "x.example", in(-std::chrono::hours(24 * 20'000)));
  add(3, "x.example", WallTime::min());
  add(4, "x.example", WallTime::max());
  add(5, "x.example", WallTime());
  std::vector<std::uint64_t> order;
  while (const auto taken = schedule.take("x.example")) order.push_back(taken->id.value);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{3, 5, 2, 1}));
  ASSERT_TRUE(sim.run_for(std::chrono::hours(24 * 365)));
  EXPECT_FALSE(schedule.take("x.example"));
  EXPECT_EQ(schedule.next_due(MessageId{4}), WallTime::max());
}

TEST_F(ScheduleTest, SendersTakeTurns) {
  for (std::uint64_t i = 1; i <= 1000; ++i)
    add(i, "x.example", in(seconds(-1)), "burst@example.org");
  for (std::uint64_t i = 2001; i <= 2003; ++i)
    add(i, "x.example", in(seconds(0)), "one@example.org");
  add(3001, "x.example", in(seconds(0)), "");
  std::vector<std::uint64_t> order;
  while (const auto taken = schedule.take("x.example")) order.push_back(taken->id.value);
  ASSERT_EQ(order.size(), 1004U);
  const auto place = [&](std::uint64_t id) { return std::ranges::find(order, id) - order.begin(); };
  EXPECT_LE(place(3001), 2);
  EXPECT_LE(place(2001), 2);
  EXPECT_LE(place(2003), 8);
  EXPECT_LT(place(1), place(2)) << "in the order of arrival";
  EXPECT_LT(place(999), place(1000));
}

TEST_F(ScheduleTest, WhatGetsDueAtOnceGivesOthersTheirTurn) {
  constexpr std::uint64_t count = 10'000;
  for (std::uint64_t i = 1; i <= count; ++i) add(i, "x.example", in(seconds(5)));
  add(count + 1, "y.example", in(seconds(5)));
  std::set<std::string> told;
  schedule.on_due([&told](const std::string& name) { told.insert(name); });
  ASSERT_TRUE(sim.run_for(seconds(6)));
  EXPECT_EQ(told.size(), 2U);
  std::uint64_t taken = 0;
  while (schedule.take("x.example")) ++taken;
  EXPECT_EQ(taken, count);
}

TEST_F(ScheduleTest, PostponesInMemory) {
  for (std::uint64_t i = 1; i <= 10; ++i) add(i, "x.example", in(seconds(-1)));
  add(11, "x.example", in(seconds(3)));
  add(12, "x.example", in(seconds(-1)), "");
  const WallTime then = in(seconds(60));
  std::vector<ShareFacts> asked;
  const auto decide = [&](const ShareFacts& facts) {
    asked.push_back(facts);
    return facts.id.value == 5 ? std::optional<WallTime>() : then;
  };
  const auto first = schedule.postpone("x.example", decide, 4);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(asked.size(), 4U);
  while (schedule.postpone("x.example", decide, 4).more) {
  }
  EXPECT_EQ(asked.size(), 11U) << "each once, and not what is not due";
  for (const ShareFacts& facts : asked) {
    EXPECT_EQ(facts.null_reverse_path, facts.id.value == 12);
    EXPECT_TRUE(facts.delay_owed);
    EXPECT_GE(facts.lifetime_from, in(seconds(0)));
    EXPECT_LT(facts.lifetime_from, in(seconds(1)));
  }
  const auto last = schedule.postpone("x.example", decide, 4);
  EXPECT_TRUE(last.urgent);
  EXPECT_EQ(last.postponed, 0U);
  const auto urgent = schedule.take("x.example");
  ASSERT_TRUE(urgent);
  EXPECT_EQ(urgent->id, MessageId{5});
  EXPECT_FALSE(schedule.take("x.example"));
  schedule.set_delay_owed(MessageId{5}, "x.example", false);
  schedule.release(MessageId{5}, "x.example", in(seconds(0)));
  asked.clear();
  EXPECT_FALSE(schedule.postpone("x.example", decide, 4).postponed);
  ASSERT_EQ(asked.size(), 1U) << "asked again after its lease";
  EXPECT_FALSE(asked[0].delay_owed);
  EXPECT_TRUE(schedule.force(MessageId{1}));
  EXPECT_TRUE(schedule.take("x.example")) << "the administrator's word counts";
  ASSERT_TRUE(sim.run_for(seconds(61)));
  std::size_t due = 0;
  while (schedule.take("x.example")) ++due;
  EXPECT_EQ(due, 11U);
  EXPECT_EQ(schedule.postpone("nowhere.example", decide, 4).postponed, 0U);
}

TEST_F(ScheduleTest, ManyDestinationsAreToldAtTheirTimes) {
  std::map<std::string, WallTime> told;
  schedule.on_due([&](const std::string& name) { told.emplace(name, host.clock().wall_now()); });
  const WallTime start = host.clock().wall_now();
  for (std::uint64_t i = 1; i <= 100; ++i)
    add(i, "d" + std::to_string(i), in(seconds((i * 37) % 100)));
  ASSERT_TRUE(sim.run_for(seconds(101)));
  ASSERT_EQ(told.size(), 100U);
  for (std::uint64_t i = 1; i <= 100; ++i)
    EXPECT_EQ(told.at("d" + std::to_string(i)) - start, seconds((i * 37) % 100));
  EXPECT_EQ(schedule.due_destinations().size(), 100U);
}

TEST_F(ScheduleTest, LeavesNothingBehind) {
  add(1, "x.example", in(seconds(5)));
  add(1, "y.example", in(seconds(6)));
  EXPECT_EQ(schedule.next_due(MessageId{1}), in(seconds(5)));
  ASSERT_TRUE(schedule.take_all(MessageId{1}));
  EXPECT_FALSE(schedule.take_all(MessageId{1}));
  EXPECT_EQ(schedule.shares_leased(), 2U);
  schedule.release_all(MessageId{1}, std::nullopt);
  EXPECT_FALSE(schedule.contains(MessageId{1}));
  EXPECT_EQ(schedule.shares_leased(), 0U);
  EXPECT_TRUE(sim.run_until_idle());  // no timer is left either
}

TEST_F(ScheduleTest, KnowsTheOldestWhateverGoesAndComesBack) {
  EXPECT_FALSE(schedule.oldest());
  for (const std::uint64_t id : {5, 3, 9}) add(id, "x.example", in(seconds(10)));
  add(3, "y.example", in(seconds(10)));
  EXPECT_EQ(schedule.oldest(), MessageId{3});
  ASSERT_TRUE(schedule.take_all(MessageId{3}));
  EXPECT_EQ(schedule.oldest(), MessageId{3}) << "under way is not gone";
  schedule.release_all(MessageId{3}, std::nullopt);
  EXPECT_EQ(schedule.oldest(), MessageId{5});
  add(3, "x.example", in(seconds(10)));  // released from a hold
  EXPECT_EQ(schedule.oldest(), MessageId{3});
  // Many that come and go behind an old one leave nothing behind either.
  const std::size_t before = allocated_bytes();
  for (std::uint64_t id = 100; id < 20'100; ++id) {
    add(id, "x.example", in(seconds(10)));
    ASSERT_TRUE(schedule.take_all(MessageId{id}));
    schedule.release_all(MessageId{id}, std::nullopt);
  }
  EXPECT_EQ(schedule.oldest(), MessageId{3});
  EXPECT_LE(allocated_bytes() - before, 40'000U);
}

TEST_F(ScheduleTest, AMessageTakesLittleMemory) {
  constexpr std::uint64_t count = 100'000;
  const std::size_t before = allocated_bytes();
  for (std::uint64_t i = 1; i <= count; ++i)
    add(i << 12, "d" + std::to_string(i % 1000) + ".example", in(seconds(i)));
  const std::size_t each = (allocated_bytes() - before) / count;
  std::printf("%zu bytes for each queued message\n", each);
  EXPECT_LE(each, 250U);
  EXPECT_GE(each, 50U);  // it was measured at all
}

}  // namespace
}  // namespace postern::queue
