#include "admin/exposition.h"

#include <gtest/gtest.h>

namespace postern::admin {
namespace {

using namespace std::chrono_literals;

std::vector<MetricFamily> families(const LatencyHistogram& histogram) {
  return {
      {"postern_replies_total",
       MetricType::counter,
       "Replies.",
       {{{{"class", "2xx"}}, 12.0}, {{{"class", "5xx"}}, 0.0}}},
      {"postern_free_bytes", MetricType::gauge, "Free space.", {{{}, 1234567890123.0}}},
      {"postern_age_seconds", MetricType::gauge, "Age.", {{{}, 0.25}}},
      {"postern_build_info", MetricType::gauge, "Build.", {{{{"version", "1 \"x\"\\\n"}}, 1.0}}},
      {"postern_wait_seconds",
       MetricType::histogram,
       "Wait.",
       {{{{"type", "A"}}, histogram.view()}}},
  };
}

std::string lines_with(const std::string& text, std::string_view part) {
  std::string found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (const auto line = text.substr(at, end - at); line.find(part) != std::string::npos)
      found += line + "\n";
    at = end + 1;
  }
  return found;
}

TEST(Exposition, PrometheusText) {
  LatencyHistogram histogram;
  histogram.observe(500us);
  histogram.observe(2s);
  histogram.observe(1min);
  const std::string text = expose(families(histogram), Exposition::prometheus);
  EXPECT_EQ(lines_with(text, "replies"),
            "# HELP postern_replies_total Replies.\n"
            "# TYPE postern_replies_total counter\n"
            "postern_replies_total{class=\"2xx\"} 12\n"
            "postern_replies_total{class=\"5xx\"} 0\n");
  EXPECT_EQ(lines_with(text, "postern_free_bytes 1"), "postern_free_bytes 1234567890123\n");
  EXPECT_EQ(lines_with(text, "postern_age_seconds 0"), "postern_age_seconds 0.25\n");
  EXPECT_EQ(lines_with(text, "version"), "postern_build_info{version=\"1 \\\"x\\\"\\\\\\n\"} 1\n");
  EXPECT_EQ(lines_with(text, "le=\"0.0005\""),
            "postern_wait_seconds_bucket{type=\"A\",le=\"0.0005\"} 1\n");
  EXPECT_EQ(lines_with(text, "le=\"1.0\""),
            "postern_wait_seconds_bucket{type=\"A\",le=\"1.0\"} 1\n");
  EXPECT_EQ(lines_with(text, "le=\"2.5\""),
            "postern_wait_seconds_bucket{type=\"A\",le=\"2.5\"} 2\n");
  EXPECT_EQ(lines_with(text, "le=\"+Inf\""),
            "postern_wait_seconds_bucket{type=\"A\",le=\"+Inf\"} 3\n");
  EXPECT_EQ(lines_with(text, "_sum"), "postern_wait_seconds_sum{type=\"A\"} 62.0005\n");
  EXPECT_EQ(lines_with(text, "_count"), "postern_wait_seconds_count{type=\"A\"} 3\n");
  EXPECT_EQ(text.find("# EOF"), std::string::npos);
}

TEST(Exposition, OpenMetricsNamesACounterWithoutItsEndingAndHasAnEnd) {
  const LatencyHistogram histogram;
  const std::string text = expose(families(histogram), Exposition::open_metrics);
  EXPECT_EQ(lines_with(text, "replies"),
            "# HELP postern_replies Replies.\n"
            "# TYPE postern_replies counter\n"
            "postern_replies_total{class=\"2xx\"} 12\n"
            "postern_replies_total{class=\"5xx\"} 0\n");
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

TEST(Exposition, IsChosenByWhatIsAccepted) {
  for (const char* accept : {"", "*/*", "text/plain;version=0.0.4", "text/html"})
    EXPECT_EQ(exposition_for(accept), Exposition::prometheus) << accept;
  EXPECT_EQ(exposition_for("Application/OpenMetrics-Text;version=1.0.0;q=0.5,*/*;q=0.1"),
            Exposition::open_metrics);
}

}  // namespace
}  // namespace postern::admin
