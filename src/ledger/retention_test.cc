#include "ledger/retention.h"

#include <gtest/gtest.h>

#include "ledger/batch_writer.h"
#include "ledger/ledger_fixture.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    auto opened = BatchWriter::open(directory_.database(), noon);
    EXPECT_TRUE(opened.has_value());
    writer_ = *std::move(opened);
  }
  void write(const std::vector<Event>& events) { ASSERT_TRUE(writer_->write(events).has_value()); }
  /// Runs to its end; how many steps that took.
  int expire(const Retention::Limits& limits, WallTime now) {
    for (int steps = 1; steps < 10'000; ++steps) {
      const auto progress = writer_->expire(limits, now);
      EXPECT_TRUE(progress.has_value()) << progress.error().what;
      if (!progress || *progress == Retention::Progress::done) return steps;
    }
    ADD_FAILURE() << "it never ends";
    return 0;
  }
  [[nodiscard]] std::int64_t number(std::string_view sql) const {
    return number_in(directory_.database(), sql);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<BatchWriter> writer_;
};

std::string recipient(int number) {
  return std::to_string(number) + "@example.net";
}

TEST_F(RetentionTest, WhatIsOlderGoesInSteps) {
  std::vector<Event> events;
  for (int i = 0; i < 95; ++i) {
    events.emplace_back(refusal(0s, "192.0.2.7", recipient(i)));
    events.emplace_back(acceptance(0s, "198.51.100." + std::to_string(i), "eve@example.net"));
  }
  for (int i = 0; i < 5; ++i) events.emplace_back(refusal(2h, "192.0.2.8", recipient(1000 + i)));
  events.emplace_back(refusal(2h, "192.0.2.7", recipient(50)));
  write(events);
  const Retention::Limits limits{.time = 24h, .bytes_max = 1 << 30, .rows_per_step = 10};
  expire(limits, noon + 24h);
  EXPECT_EQ(number("SELECT count(*) FROM refusals"), 101) << "nothing is too old";
  EXPECT_GE(expire(limits, noon + 25h + 1s), 10);
  EXPECT_EQ(number("SELECT count(*) FROM refusals"), 6);
  EXPECT_EQ(number("SELECT count(*) FROM deferrals"), 6) << "one that began before goes on";
  EXPECT_EQ(number("SELECT count(*) FROM clients"), 2);
  EXPECT_EQ(number("SELECT count(*) FROM evidence"), 6);
  EXPECT_EQ(number("SELECT count(*) FROM refusals LEFT JOIN evidence ON evidence.id = "
                   "refusals.evidence WHERE evidence.id IS NULL"),
            0);
}

// More in an hour than a step removes, so that a horizon that runs ahead of what is removed shows.
TEST_F(RetentionTest, WhatIsTooMuchGoesTheOldestFirstAndTheSpaceIsGivenBack) {
  std::vector<Event> events;
  for (int i = 0; i < 4000; ++i) {
    const std::string client = "192.0." + std::to_string(i / 200) + ".7";
    events.emplace_back(refusal(i * 10s, client, recipient(i)));
  }
  events.emplace_back(refusal(4000 * 10s, "192.0.0.7", recipient(0)));
  write(events);
  const std::uint64_t before = writer_->sizes()->database_bytes;
  const Retention::Limits limits{.time = 90 * 24h, .bytes_max = before / 2, .rows_per_step = 100};
  expire(limits, noon + 4000 * 10s);
  const std::int64_t kept = number("SELECT count(*) FROM refusals");
  EXPECT_LT(kept, 3000);
  EXPECT_GT(kept, 1000);
  EXPECT_EQ(number("SELECT max(id) - min(id) + 1 FROM refusals"), kept) << "the newest";
  EXPECT_GT(number("SELECT min(first) + 1000 - (SELECT min(id) FROM refusals) FROM case_index"), 0);
  EXPECT_LE(number("SELECT min(first) - (SELECT min(id) FROM refusals) FROM case_index"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM deferrals"), kept) << "as the refusals, no sooner";
  EXPECT_EQ(number("SELECT count(*) FROM deferrals WHERE id = 1"), 1) << "it was tried just now";
  EXPECT_EQ(number("SELECT count(*) FROM clients WHERE last >= (SELECT min(time) FROM refusals)"),
            number("SELECT count(DISTINCT client) FROM refusals"));
  EXPECT_LE(writer_->sizes()->database_bytes, before * 6 / 10);
  EXPECT_EQ(number("SELECT count(*) FROM pragma_integrity_check"), 1);
}

TEST_F(RetentionTest, RefusalsFromLaterThanNowDoNotHoldUpWhatIsTooMuch) {
  std::vector<Event> events;
  events.reserve(1200);
  for (int i = 0; i < 200; ++i) events.emplace_back(refusal(6h, "192.0.2.7", recipient(i)));
  for (int i = 0; i < 1000; ++i) events.emplace_back(refusal(1s * i, "192.0.2.8", recipient(i)));
  write(events);
  const std::uint64_t bytes = writer_->sizes()->database_bytes;
  expire({.time = 24h, .bytes_max = bytes * 3 / 4, .rows_per_step = 50}, noon + 1h);
  EXPECT_EQ(
      number("SELECT count(*) FROM refusals WHERE client = x'00000000000000000000ffffc0000207'"),
      0);
  EXPECT_GT(number("SELECT count(*) FROM refusals"), 300);
}

TEST_F(RetentionTest, AClockThatRanAheadLeavesNothingForEver) {
  write({refusal(0s, "192.0.2.7", recipient(0)), refusal(200 * 24h, "192.0.2.7", recipient(1)),
         refusal(1s, "192.0.2.7", recipient(2))});
  expire({.time = 24h, .bytes_max = 1 << 30, .rows_per_step = 10}, noon + 36h);
  EXPECT_EQ(number("SELECT count(*) FROM refusals"), 0);
}

}  // namespace
}  // namespace postern::ledger
