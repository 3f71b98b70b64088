#include "ledger/deferral_row.h"

#include <gtest/gtest.h>

#include "ledger/schema.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

const WallTime start = WallTime(1'795'490'753'123ms);
const IpAddress client = *IpAddress::parse("192.0.2.7");
const IpAddress other = *IpAddress::parse("2001:db8::25");

TEST(DeferralRow, TimesAndAddressesAreReadAsWritten) {
  const std::vector<WallTime> times{start, start + 1ms, start + 5 * 24h};
  EXPECT_EQ(read_times(times_bytes(times), 3), times);
  EXPECT_EQ(read_times(times_bytes(times), 2), std::vector(times.begin(), times.begin() + 2));
  const std::vector<IpAddress> addresses{client, other};
  EXPECT_EQ(read_addresses(addresses_bytes(addresses), 2), addresses);
  EXPECT_EQ(read_addresses(addresses_bytes(addresses).substr(0, 31), 2), std::vector{client})
      << "cut off";
  EXPECT_LT(read_times(std::string(8, '\x7f'), 1).front(), WallTime(std::chrono::days(84'100)))
      << "no time that cannot be";
}

struct Row {
  const char* reason;
  WallTime last = start + 5min;
  std::int64_t attempts = 2;
  std::string times = times_bytes(std::vector{start, start + 5min});
};

TEST(DeferralRow, DamagedRowsAreLeftOut) {
  auto database = Database::open(std::string(Database::in_memory), Database::Access::create);
  ASSERT_TRUE(database && migrate(*database));
  const auto read = [&](const Row& row) {
    auto select =
        database->prepare("SELECT 17, 'a@x', 'b@y', 'h', ?1, ?2, ?3, ?4, ?5, ?6, ?7, 2, ?8");
    EXPECT_TRUE(select.has_value());
    const std::string addresses = addresses_bytes(std::vector{client});
    select->bind(start, row.last, row.attempts, Statement::Blob{row.times},
                 Statement::Blob{addresses}, start + 1h, other, start + 2h);
    EXPECT_TRUE(select->step().value_or(false));
    return read_deferral(*select);
  };
  const auto good = read({"well"});
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->id, 17);
  EXPECT_EQ(good->deferral.sender, "a@x");
  EXPECT_EQ(good->deferral.attempts_count, 2U);
  EXPECT_EQ(good->deferral.last_attempt, start + 5min);
  EXPECT_EQ(good->deferral.accepted, start + 1h);
  EXPECT_EQ(good->deferral.accepted_from, other);
  EXPECT_EQ(good->deferral.greeting, upstream::Greeting::ehlo);
  EXPECT_EQ(good->deferral.refused_for_good, start + 2h);
  for (const Row& row :
       {Row{.reason = "no attempt", .times = ""},
        Row{.reason = "fewer than are there", .attempts = 1},
        Row{.reason = "more than are possible", .attempts = std::int64_t{1} << 40},
        Row{.reason = "the last before the first", .last = start - 1h},
        Row{.reason = "out of order", .times = times_bytes(std::vector{start + 5min, start})}})
    EXPECT_FALSE(read(row).has_value()) << row.reason;
}

}  // namespace
}  // namespace postern::ledger
