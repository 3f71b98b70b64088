#include "app/metric_snapshot.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace postern::app {
namespace {

using namespace std::chrono_literals;

MetricSnapshot snapshot(const std::string& metrics, SteadyTime taken) {
  return {boost::json::parse(R"({"metrics":)" + metrics + "}").as_object(), taken};
}

TEST(MetricSnapshot, SumsByLabels) {
  const auto now = snapshot(
      R"([{"name":"a_total","samples":[{"labels":{"x":"1","y":"p"},"value":2},
          {"labels":{"x":"1","y":"q"},"value":3.5},{"labels":{"x":"2"},"value":4}]}])",
      SteadyTime());
  EXPECT_EQ(now.sum("a_total"), 9.5);
  EXPECT_EQ(now.sum("a_total", {{"x", "1"}}), 5.5);
  EXPECT_EQ(now.sum("a_total", {{"x", "1"}, {"y", "q"}}), 3.5);
  EXPECT_EQ(now.sum("a_total", {{"z", "1"}}), 0);
  EXPECT_EQ(now.sum("b_total"), 0) << "a server of another version";
  EXPECT_EQ(now.sums_by("a_total", "x"), (std::map<std::string, double>{{"1", 5.5}, {"2", 4}}));
}

TEST(MetricSnapshot, RatesAreForEachSecondAndKnowOfARestart) {
  const auto first =
      snapshot(R"([{"name":"a","samples":[{"labels":{},"value":10}]}])", SteadyTime(100s));
  const auto second =
      snapshot(R"([{"name":"a","samples":[{"labels":{},"value":30}]}])", SteadyTime(110s));
  EXPECT_EQ(second.rate(first, "a"), 2);
  const auto restarted =
      snapshot(R"([{"name":"a","samples":[{"labels":{},"value":4}]}])", SteadyTime(112s));
  EXPECT_EQ(restarted.rate(second, "a"), 2);
  EXPECT_EQ(restarted.rate(restarted, "a"), 0) << "no time has passed";
}

TEST(MetricSnapshot, LeavesOutWhatDoesNotReadAsItShould) {
  for (const char* odd : {"1", "[1]", "[{}]", R"([{"name":5}])", R"([{"name":"a"}])",
                          R"([{"name":"a","samples":[{"labels":[],"value":"x"}]}])",
                          R"([{"name":"a","bounds":["x"],"samples":[{"buckets":[-1,{}]}]}])"}) {
    const auto now = snapshot(odd, SteadyTime());
    EXPECT_EQ(now.sum("a"), 0) << odd;
    EXPECT_FALSE(now.histogram("a").percentile(0.5)) << odd;
  }
}

struct Percentile {
  const char* reason;
  std::vector<std::uint64_t> buckets;  ///< up to 1, 2 and 4 seconds, and beyond
  double share;
  std::optional<double> expected;
};

const std::vector<Percentile> percentiles = {
    {"nothing happened", {0, 0, 0, 0}, 0.5, std::nullopt},
    {"all in the first bucket, which begins at 0", {10, 0, 0, 0}, 0.5, 0.5},
    {"the half, between two", {5, 5, 0, 0}, 0.5, 1.0},
    {"by a line through the bucket", {0, 10, 0, 0}, 0.25, 1.25},
    {"empty buckets between", {5, 0, 5, 0}, 0.9, 3.6},
    {"beyond the last bound nothing is known", {0, 0, 1, 9}, 0.99, 4.0},
    {"as many buckets as bounds: it does not read", {1, 1, 1}, 0.5, std::nullopt},
};

TEST(BucketCounts, Percentiles) {
  for (const Percentile& c : percentiles) {
    const BucketCounts counts{.bounds = {1, 2, 4}, .buckets = c.buckets};
    const auto found = counts.percentile(c.share);
    ASSERT_EQ(found.has_value(), c.expected.has_value()) << c.reason;
    if (found) EXPECT_NEAR(*found, *c.expected, 1e-9) << c.reason;
  }
}

TEST(BucketCounts, GrowSinceTheLastTimeOrSinceARestart) {
  const BucketCounts before{.bounds = {1}, .buckets = {5, 1}};
  EXPECT_EQ((BucketCounts{.bounds = {1}, .buckets = {7, 1}}).since(before).buckets,
            (std::vector<std::uint64_t>{2, 0}));
  EXPECT_EQ((BucketCounts{.bounds = {1}, .buckets = {2, 1}}).since(before).buckets,
            (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ((BucketCounts{.bounds = {1}, .buckets = {2, 1}}).since({}).buckets,
            (std::vector<std::uint64_t>{2, 1}));
}

}  // namespace
}  // namespace postern::app
