#include "delivery/route.h"

#include <gtest/gtest.h>

namespace postern::delivery {
namespace {

TEST(NextHop, Parses) {
  struct Case {
    const char* text;
    const char* same;  // what text() gives
  };
  const Case cases[] = {
      {"smtp://192.0.2.1:2525", "smtp://192.0.2.1:2525"},
      {"smtp://mx.Example.com", "smtp://mx.example.com:25"},
      {"lmtp://127.0.0.1", "lmtp://127.0.0.1:24"},
      {"lmtp://[2001:db8::1]:24", "lmtp://[2001:db8::1]:24"},
      {"smtp://[2001:DB8::1]", "smtp://[2001:db8::1]:25"},
      {"smtp://localhost:25", "smtp://localhost:25"},
  };
  for (const Case& c : cases) {
    const auto hop = parse_next_hop(c.text);
    ASSERT_TRUE(hop) << c.text << ": " << hop.error().what;
    EXPECT_EQ(hop->text(), c.same);
    EXPECT_EQ(*parse_next_hop(hop->text()), *hop);
  }
}

TEST(NextHop, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* why;
  };
  const Case cases[] = {
      {"192.0.2.1:25", "the protocol is missing"},
      {"http://192.0.2.1", "no protocol we speak"},
      {"smtp://", "the host or the port is missing"},
      {"smtp://host:", "the host or the port is missing"},
      {"smtp://:25", "the host or the port is missing"},
      {"smtp://[::1", "the host or the port is missing"},
      {"smtp://[::1]x", "the host or the port is missing"},
      {"smtp://[host]:25", "no address in the brackets"},
      {"smtp://::1", "neither a name nor an address"},
      {"smtp://a b:25", "neither a name nor an address"},
      {"smtp://host:0", "not a number from 1 to 65535"},
      {"smtp://host:65536", "not a number from 1 to 65535"},
      {"smtp://host:25x", "not a number from 1 to 65535"},
  };
  for (const Case& c : cases) {
    const auto hop = parse_next_hop(c.text);
    ASSERT_FALSE(hop) << c.text;
    EXPECT_TRUE(hop.error().what.contains(c.why)) << c.text << ": " << hop.error().what;
    EXPECT_EQ(hop.error().blame, Blame::operator_);
  }
}

TEST(Route, SaysWhatIsWrong) {
  EXPECT_FALSE(parse_route("", {"smtp://h"}));
  EXPECT_FALSE(parse_route(".", {"smtp://h"}));
  EXPECT_FALSE(parse_route("*.example.com", {"smtp://h"}));
  EXPECT_FALSE(parse_route("example.com", {}));
  EXPECT_FALSE(parse_route("example.com", {"h"}));
  EXPECT_EQ(parse_route("Example.COM", {"smtp://h"})->domain, "example.com");
}

TEST(RouteTable, TheMostSpecificWins) {
  const RouteTable table({*parse_route("*", {"smtp://any"}),
                          *parse_route(".example.com", {"smtp://below"}),
                          *parse_route(".b.example.com", {"smtp://deeper"}),
                          *parse_route("example.com", {"smtp://exact"})});
  const auto host = [&](std::string_view domain) { return table.find(domain)->next_hops[0].host; };
  EXPECT_EQ(host("example.com"), "exact");
  EXPECT_EQ(host("a.example.com"), "below");
  EXPECT_EQ(host("x.a.example.com"), "below");
  EXPECT_EQ(host("x.b.example.com"), "deeper");
  EXPECT_EQ(host("b.example.com"), "below");
  EXPECT_EQ(host("notexample.com"), "any");
  EXPECT_EQ(RouteTable({*parse_route("example.com", {"smtp://h"})}).find("a.example.com"), nullptr);
}

TEST(RouteTable, DestinationsAreNamedByTheirNextHops) {
  const RouteTable table({*parse_route("a.example", {"smtp://h", "lmtp://[::1]"}),
                          *parse_route("b.example", {"smtp://h:25", "lmtp://[::1]:24"})});
  EXPECT_EQ(table.destination_of("a.example"), "smtp://h:25,lmtp://[::1]:24");
  EXPECT_EQ(table.destination_of("b.example"), table.destination_of("a.example"));
  EXPECT_EQ(table.destination_of("c.example"), "c.example");
  const auto hops = next_hops_of(table.destination_of("a.example"));
  ASSERT_EQ(hops.size(), 2U);
  EXPECT_EQ(hops, table.find("a.example")->next_hops);
  EXPECT_TRUE(next_hops_of("c.example").empty());
  EXPECT_TRUE(next_hops_of("").empty());
}

TEST(RouteTable, LimitsBelongToTheDestination) {
  const auto route = [](const char* domain, const char* hop, std::size_t connections) {
    Route made = *parse_route(domain, {hop});
    if (connections > 0) made.limits.connections_max = connections;
    return made;
  };
  const RouteTable table({route("a.example", "smtp://192.0.2.1", 1),
                          route("b.example", "smtp://192.0.2.1:25", 2),
                          route(".a.example", "smtp://192.0.2.3", 0), route("*", "lmtp://h", 4)});
  const auto connections = [&table](std::string_view destination) {
    const RouteLimits* limits = table.limits_of(destination);
    return limits == nullptr ? 0 : limits->connections_max.value_or(100);
  };
  EXPECT_EQ(connections("smtp://192.0.2.1:25"), 1U) << "the first of those that share it";
  EXPECT_EQ(connections("smtp://192.0.2.3:25"), 100U) << "a route that sets nothing";
  EXPECT_EQ(connections("lmtp://h:24"), 4U);
  EXPECT_EQ(connections("c.example"), 4U) << "queued before there was a route for it";
  EXPECT_EQ(connections("x.a.example"), 100U);
  EXPECT_EQ(connections("smtp://192.0.2.99:25"), 0U) << "queued by a route that is gone";
  EXPECT_EQ(RouteTable().limits_of("a.example"), nullptr);
}

}  // namespace
}  // namespace postern::delivery
