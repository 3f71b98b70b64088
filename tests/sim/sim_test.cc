// Towns by seed. POSTERN_SIM_SEED=N runs that seed alone; POSTERN_SIM_SEEDS=COUNT sets how many
// seeds all shards together run.
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "checkers.h"
#include "run.h"

namespace postern::sim {
namespace {

constexpr std::uint64_t shards = 10;
constexpr std::uint64_t seeds_default = 220;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void check_seed(std::uint64_t seed) {
  const Plan plan = plan_of(seed);
  const History history = run(plan);
  std::string wrong;
  for (const std::string& finding : everything_wrong_with(history)) wrong += "\n  " + finding;
  if (!wrong.empty())
    ADD_FAILURE() << "POSTERN_SIM_SEED=" << seed << " trace hash "
                  << fmt::format("{:016x}", history.trace_hash) << " (" << plan.text() << ")"
                  << wrong;
}

class Shard : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Shard, NothingIsLostRepeatedOrLeft) {
  if (std::getenv("POSTERN_SIM_SEED") != nullptr) {
    if (GetParam() == 0) check_seed(number_from("POSTERN_SIM_SEED", 0));
    return;
  }
  const std::uint64_t seeds = number_from("POSTERN_SIM_SEEDS", seeds_default);
  for (std::uint64_t seed = GetParam(); seed < seeds; seed += shards) check_seed(seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Shard, testing::Range(std::uint64_t{0}, shards));

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
