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
  Schedule schedule{host.clock()};
};

TEST_F(ScheduleTest, AClockSetBackDelaysButForgetsNothing) {
  std::vector<std::string> told;
  schedule.on_due([&told](const std::string& destination) { told.push_back(destination); });
  schedule.add(MessageId{1}, "x.example", in(seconds(-1)));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(told.size(), 1U);
  host.clock().shift_wall(-std::chrono::minutes(10));
  EXPECT_FALSE(schedule.take("x.example"));
  ASSERT_TRUE(sim.run_for(std::chrono::minutes(11)));
  EXPECT_EQ(told.size(), 2U);
  EXPECT_TRUE(schedule.take("x.example"));
}

TEST_F(ScheduleTest, ManyDestinationsAreToldAtTheirTimes) {
  std::map<std::string, WallTime> told;
  schedule.on_due([&](const std::string& name) { told.emplace(name, host.clock().wall_now()); });
  const WallTime start = host.clock().wall_now();
  for (std::uint64_t i = 1; i <= 100; ++i)
    schedule.add(MessageId{i}, "d" + std::to_string(i), in(seconds((i * 37) % 100)));
  ASSERT_TRUE(sim.run_for(seconds(101)));
  ASSERT_EQ(told.size(), 100U);
  for (std::uint64_t i = 1; i <= 100; ++i)
    EXPECT_EQ(told.at("d" + std::to_string(i)) - start, seconds((i * 37) % 100));
  EXPECT_EQ(schedule.due_destinations().size(), 100U);
}

TEST_F(ScheduleTest, LeavesNothingBehind) {
  schedule.add(MessageId{1}, "x.example", in(seconds(5)));
  schedule.add(MessageId{1}, "y.example", in(seconds(6)));
  EXPECT_EQ(schedule.next_due(MessageId{1}), in(seconds(5)));
  ASSERT_TRUE(schedule.take_all(MessageId{1}));
  EXPECT_FALSE(schedule.take_all(MessageId{1}));
  EXPECT_EQ(schedule.shares_leased(), 2U);
  schedule.release_all(MessageId{1}, std::nullopt);
  EXPECT_FALSE(schedule.contains(MessageId{1}));
  EXPECT_EQ(schedule.shares_leased(), 0U);
  EXPECT_TRUE(sim.run_until_idle());  // no timer is left either
}

TEST_F(ScheduleTest, AMessageTakesLittleMemory) {
  constexpr std::uint64_t count = 100'000;
  const std::size_t before = allocated_bytes();
  for (std::uint64_t i = 1; i <= count; ++i)
    schedule.add(MessageId{i << 12}, "d" + std::to_string(i % 1000) + ".example", in(seconds(i)));
  const std::size_t each = (allocated_bytes() - before) / count;
  std::printf("%zu bytes for each queued message\n", each);
  EXPECT_LE(each, 300U);
  EXPECT_GE(each, 50U);  // it was measured at all
}

}  // namespace
}  // namespace postern::queue
