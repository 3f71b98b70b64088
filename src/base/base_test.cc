#include <gtest/gtest.h>

#include "base/ip.h"
#include "base/metrics.h"
#include "base/recent_top.h"
#include "base/text.h"
#include "base/time.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

TEST(IpAddress, text_and_reverse_name) {
  struct Case {
    const char* in;
    const char* text;
    const char* literal;
    const char* reverse;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"192.0.2.7", "192.0.2.7", "[192.0.2.7]", "7.2.0.192.in-addr.arpa"},
           {"::ffff:192.0.2.11", "192.0.2.11", "[192.0.2.11]",
            "11.2.0.192.in-addr.arpa"},  // mapped is IPv4
           {"2001:DB8::25", "2001:db8::25", "[IPv6:2001:db8::25]",
            "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
       }) {
    const auto address = IpAddress::parse(c.in);
    ASSERT_TRUE(address) << c.in;
    EXPECT_EQ(address->text(), c.text);
    EXPECT_EQ(address->literal(), c.literal);
    EXPECT_EQ(address->reverse_name(), c.reverse);
  }
  for (const char* bad :
       {"", "192.0.2", "192.0.2.256", "[::1]", "fe80::1%eth0", "1.2.3.4 ", "mail.example.com"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
}

TEST(IpNetwork, contains) {
  const auto net = IpNetwork::parse("192.0.2.0/23");
  EXPECT_TRUE(net->contains(*IpAddress::parse("192.0.3.255")));
  EXPECT_FALSE(net->contains(*IpAddress::parse("192.0.4.0")));
  EXPECT_FALSE(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(IpNetwork::parse("::/0")->contains(*IpAddress::parse("192.0.2.1")));
  EXPECT_FALSE(IpNetwork::parse("192.0.2.1/24"));  // host bits set
  EXPECT_FALSE(IpNetwork::parse("192.0.2.0/33"));
  EXPECT_EQ(net->text(), "192.0.2.0/23");
}

TEST(Endpoint, round_trip) {
  for (const char* text : {"192.0.2.7:25", "[2001:db8::25]:2525"})
    EXPECT_EQ(Endpoint::parse(text)->text(), text);
  for (const char* bad : {"192.0.2.7", "2001:db8::25", "[192.0.2.7:25", "192.0.2.7:65536", ":25"})
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
}

TEST(Duration, parse_and_format) {
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(format_duration(*parse_duration("5d")), "5d");
  EXPECT_EQ(format_duration(90min), "1h30m");
  for (const char* bad : {"", "5", "h", "-1s", "5x", "99999999999d", "1 h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(WallTime, rfc5322) {
  const WallTime time{1795490753123ms};
  EXPECT_EQ(format_rfc5322(time), "Tue, 24 Nov 2026 03:25:53 +0000");
  EXPECT_EQ(format_iso8601(time), "2026-11-24T03:25:53.123Z");
}

TEST(Histogram, a_bound_belongs_to_its_bucket) {
  DelayHistogram histogram;
  struct Case {
    Duration duration;
    std::size_t bucket;
  };
  for (const Case& c : std::initializer_list<Case>{
           {0ms, 0}, {100ms, 0}, {100ms + 1ns, 1}, {1s, 1}, {5 * 24h, 11}, {5 * 24h + 1ns, 12}}) {
    const std::uint64_t before = histogram.view().buckets[c.bucket];
    histogram.observe(c.duration);
    EXPECT_EQ(histogram.view().buckets[c.bucket], before + 1) << format_duration(c.duration);
  }
  EXPECT_NEAR(histogram.view().sum_seconds, 2 * 5 * 24 * 3600 + 1.2, 0.001);
}

TEST(Histogram, years_of_waiting_add_up) {
  DelayHistogram histogram;
  for (int i = 0; i < 1000; ++i) histogram.observe(365 * 24h);
  EXPECT_NEAR(histogram.view().sum_seconds, 1000.0 * 365 * 24 * 3600, 1);
}

TEST(RecentTop, sums_the_minutes_of_the_window_and_forgets_older_ones) {
  RecentTop<int, 4, 3> top;
  using Entry = decltype(top)::Entry;
  const SteadyTime begin{10min};
  top.count(1, begin);
  top.count(2, begin + 1min);
  top.count(2, begin + 1min + 59s);
  top.count(1, begin + 2min);
  top.count(3, begin + 2min);
  top.count(1, begin + 2min);
  EXPECT_EQ(top.top(9, begin + 2min), (std::vector<Entry>{{1, 3}, {2, 2}, {3, 1}}));
  EXPECT_EQ(top.top(1, begin + 3min), (std::vector<Entry>{{1, 2}})) << "minute 10 is out";
  EXPECT_EQ(top.top(9, begin + 4min), (std::vector<Entry>{{1, 2}, {3, 1}}));
  EXPECT_EQ(top.top(9, begin + 30min), std::vector<Entry>{});
}

TEST(RecentTop, keeps_whoever_has_more_than_its_share_among_many_that_come_once) {
  RecentTop<int, 8> top;
  for (int i = 0; i < 10'000; ++i) {
    top.count(i % 4 == 0 ? -1 : i, SteadyTime{});
  }
  const auto first = top.top(1, SteadyTime{});
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].key, -1);
  EXPECT_GE(first[0].count, 2500U);
  EXPECT_LE(first[0].count, 2500U + 10'000U / 8);
  EXPECT_EQ(top.top(100, SteadyTime{}).size(), 8U);
}

TEST(Text, printable_bounds_and_escapes) {
  EXPECT_EQ(printable("a\r\nb\\"), "a\\x0d\\x0ab\\x5c");
  EXPECT_EQ(printable(std::string(300, 'x')).size(), 203U);
  EXPECT_TRUE(equal_ignoring_case("MAIL From", "mail fROM"));
  EXPECT_EQ(trim(" \t a b\t"), "a b");
}

}  // namespace
}  // namespace postern
