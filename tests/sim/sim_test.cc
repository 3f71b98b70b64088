// Towns by seed, under the sanitizers; './dev sim' runs many more.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "checkers.h"
#include "run.h"

namespace postern::sim {
namespace {

constexpr std::uint64_t shards = 10;
constexpr std::uint64_t seeds = 220;

void check_seed(std::uint64_t seed) {
  const Plan plan = plan_of(seed);
  const History history = run(plan);
  std::string wrong;
  for (const std::string& finding : everything_wrong_with(history)) wrong += "\n  " + finding;
  if (!wrong.empty())
    ADD_FAILURE() << "./dev sim --seed " << seed << " (" << plan.text() << ")" << wrong;
}

class Shard : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Shard, NothingIsLostRepeatedOrLeft) {
  for (std::uint64_t seed = GetParam(); seed < seeds; seed += shards) check_seed(seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Shard, testing::Range(std::uint64_t{0}, shards));

// Found a mistake, in the server or in the town, when the range was larger.
TEST(SimTest, SeedsThatFailedOnce) {
  for (const std::uint64_t seed : {2884, 16628, 34787, 37426, 53923}) check_seed(seed);
}

TEST(SimTest, ASeedRepeatsItsCourse) {
  for (const std::uint64_t seed : {1, 2, 3, 10}) {
    const History first = run(plan_of(seed));
    const History second = run(plan_of(seed));
    EXPECT_EQ(first.trace_hash, second.trace_hash) << seed;
    EXPECT_EQ(first.arrivals.size(), second.arrivals.size()) << seed;
    EXPECT_NE(first.trace_hash, run(plan_of(seed + 100)).trace_hash) << seed;
  }
}

}  // namespace
}  // namespace postern::sim
