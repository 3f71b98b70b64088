#include "dns/zone_resolver.h"

#include <gtest/gtest.h>

#include "dns/measured_resolver.h"
#include "io/sim/sim_world.h"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;

class ZoneResolverTest : public testing::Test {
 protected:
  ZoneResolverTest() : host_(sim_.add_host("mx", *IpAddress::parse("192.0.2.1"))) {}

  ZoneResolver resolver(std::string_view zone) {
    return ZoneResolver(host_.world().clock, Zone::parse(zone).value());
  }
  static io::Task<> ask_into(Resolver* resolver, io::Clock* clock, std::string name, Type type,
                             Duration patience, Answer* answer) {
    *answer = co_await resolver->lookup(std::move(name), type, clock->in(patience));
  }
  Answer ask(Resolver& resolver, std::string name, Duration patience = 8s, Type type = Type::a) {
    Answer answer;
    EXPECT_TRUE(sim_.run_task(host_, ask_into(&resolver, &host_.world().clock, std::move(name),
                                              type, patience, &answer)));
    return answer;
  }

  io::SimWorld sim_{1};
  io::SimHost& host_;
};

TEST_F(ZoneResolverTest, TakesItsTimeInVirtualTime) {
  ZoneResolver zones = resolver("a.example A 192.0.2.1\nslow.example TIMEOUT\n");
  zones.set_latency(20ms);
  const SteadyTime start = sim_.now();
  EXPECT_EQ(ask(zones, "A.example").addresses.size(), 1U);
  EXPECT_EQ(sim_.now() - start, 20ms);
  EXPECT_EQ(ask(zones, "slow.example").status, Status::timed_out);
  EXPECT_EQ(sim_.now() - start, 20ms + 8s) << "silent until the deadline, not longer";
  EXPECT_EQ(ask(zones, "a.example", 10ms).status, Status::timed_out) << "the answer came too late";
  EXPECT_EQ(sim_.now() - start, 30ms + 8s);
}

TEST_F(ZoneResolverTest, RemembersEveryLookup) {
  ZoneResolver zones = resolver("a.example A 192.0.2.1\n");
  ask(zones, "a.example");
  ask(zones, "b.example", 8s, Type::mx);
  ask(zones, "a..b");
  const auto lookups = zones.take_lookups();
  ASSERT_EQ(lookups.size(), 3U);
  EXPECT_EQ(lookups[0].name, "a.example");
  EXPECT_EQ(lookups[0].status, Status::ok);
  EXPECT_EQ(lookups[1].type, Type::mx);
  EXPECT_EQ(lookups[1].status, Status::nx_domain);
  EXPECT_EQ(lookups[2].status, Status::nx_domain) << "a name that cannot be asked";
  EXPECT_TRUE(zones.take_lookups().empty());
}

TEST_F(ZoneResolverTest, AsksBeyondForWhatItDoesNotKnow) {
  ZoneResolver beyond = resolver("b.example A 192.0.2.2\ngone.example A 192.0.2.3\n");
  ZoneResolver zones = resolver("a.example A 192.0.2.1\ngone.example NXDOMAIN\n");
  zones.set_beyond(&beyond);
  EXPECT_EQ(ask(zones, "a.example").status, Status::ok);
  EXPECT_EQ(ask(zones, "b.example").status, Status::ok);
  EXPECT_EQ(ask(zones, "gone.example").status, Status::nx_domain);
  EXPECT_EQ(ask(zones, "a.example", 8s, Type::mx).status, Status::no_data);
  EXPECT_EQ(beyond.take_lookups().size(), 1U);
}

TEST_F(ZoneResolverTest, StopEndsSilence) {
  ZoneResolver zones = resolver("slow.example TIMEOUT\na.example A 192.0.2.1\n");
  host_.clock().call_at(sim_.now() + 1s, [&zones] { zones.stop(); });
  const SteadyTime start = sim_.now();
  EXPECT_EQ(ask(zones, "slow.example").status, Status::timed_out);
  EXPECT_EQ(sim_.now() - start, 1s);
  EXPECT_EQ(ask(zones, "a.example").status, Status::timed_out);
}

TEST_F(ZoneResolverTest, WhatIsMeasuredAboveItIsCountedByTypeAndStatus) {
  ZoneResolver zones = resolver("a.example A 192.0.2.1\nslow.example TIMEOUT\n");
  zones.set_latency(20ms);
  MeasuredResolver measured(zones, host_.world().clock);
  EXPECT_EQ(ask(measured, "a.example").addresses.size(), 1U);
  EXPECT_EQ(ask(measured, "gone.example").status, Status::nx_domain);
  EXPECT_EQ(ask(measured, "slow.example", 3s).status, Status::timed_out);
  EXPECT_EQ(ask(measured, "a.example", 8s, Type::mx).status, Status::no_data);
  const auto of = [&measured](Type type) {
    return measured.metrics().by_type.at(LookupMetrics::type_index(type));
  };
  EXPECT_EQ(of(Type::a).answers[Status::ok].value(), 1U);
  EXPECT_EQ(of(Type::a).answers[Status::nx_domain].value(), 1U);
  EXPECT_EQ(of(Type::a).answers[Status::timed_out].value(), 1U);
  EXPECT_EQ(of(Type::mx).answers[Status::no_data].value(), 1U);
  EXPECT_NEAR(of(Type::a).latency.view().sum_seconds, 3.04, 0.001);
}

}  // namespace
}  // namespace postern::dns
