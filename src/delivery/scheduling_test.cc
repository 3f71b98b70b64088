#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/testing/flow.h"

namespace postern::delivery::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* zone =
    "example.com MX 10 mx1.example.com\nexample.com MX 20 mx2.example.com\n"
    "mx1.example.com A 198.51.100.1\nmx2.example.com A 198.51.100.2\n"
    "example.org MX 10 mx.example.org\nmx.example.org A 198.51.100.9\n"
    "other.example MX 10 mx.other.example\nmx.other.example A 198.51.100.7\n"
    "broken.example SERVFAIL\n";

// --- the rules

TEST(Concurrency, GrowsWithWhatIsAnsweredAndUsed) {
  Concurrency one;
  EXPECT_EQ(one.window(), 5U);
  for (int i = 0; i < 20; ++i) one.succeeded(1, 20);
  EXPECT_EQ(one.window(), 6U) << "one connection in use shows nothing about twenty";
  for (std::size_t i = 0; i < 100; ++i) one.succeeded(one.window(), 20);
  EXPECT_EQ(one.window(), 20U);
  one.succeeded(20, 3);
  EXPECT_EQ(one.window(), 3U) << "a new bound counts at once";
}

TEST(Concurrency, APseudoCohortThatFailsIsTheEnd) {
  Concurrency one;
  EXPECT_FALSE(one.failed());  // 1/5
  EXPECT_EQ(one.window(), 4U);
  EXPECT_FALSE(one.failed());  // 1/4
  EXPECT_FALSE(one.failed());  // 1/3
  EXPECT_TRUE(one.failed());   // 1/2
  EXPECT_EQ(one.window(), 5U) << "begins anew";
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(one.failed());
    one.succeeded(5, 20);
  }
  EXPECT_FALSE(one.troubled()) << "what is answered in between forgives";
}

TEST(RateBound, SpreadsOverTheMinute) {
  const SteadyTime start;
  RateBound slow;
  EXPECT_TRUE(slow.take(start)) << "no bound";
  slow.set(6);
  EXPECT_TRUE(slow.take(start + 1s));
  EXPECT_FALSE(slow.take(start + 1s));
  EXPECT_EQ(slow.next(start + 1s), start + 11s);
  EXPECT_FALSE(slow.take(start + 10s));
  EXPECT_TRUE(slow.take(start + 11s));
  slow.put_back();
  EXPECT_TRUE(slow.take(start + 11s));
  EXPECT_FALSE(slow.at_rest(start + 12s));
  EXPECT_TRUE(slow.at_rest(start + 21s));
  RateBound fast;
  fast.set(600);
  int taken = 0;
  for (Duration at = 1s; at < 61s; at += 10ms) taken += fast.take(start + at) ? 1 : 0;
  EXPECT_GE(taken, 600);
  EXPECT_LE(taken, 610) << "a second's worth beyond";
}

// --- dead destinations

void set_reachable(Flow& flow, io::ConnectRule rule) {
  for (const char* address : {"198.51.100.1", "198.51.100.2"})
    flow.sim.network().set_connect_rule(*IpAddress::parse(address), rule);
}

std::size_t attempts(const Flow& flow) {
  return flow.log.count("deferred id=");
}

TEST(DeadDestination, HoldsBackOnlyItsOwn) {
  Flow flow(zone);
  set_reachable(flow, io::ConnectRule::hang);
  Sink& other = flow.sink("198.51.100.7");
  for (int i = 0; i < 100; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.submit("a@example.org", {"b@other.example"});
  flow.run(5s);
  EXPECT_EQ(other.messages.size(), 1U);
  EXPECT_EQ(flow.dispatcher->couriers(), 5U) << "the first cohort";
  flow.run(2min);
  EXPECT_EQ(attempts(flow), 5U) << "the rest is not touched";
  EXPECT_EQ(flow.log.count("destination-dead destination=example.com"), 1U);
  EXPECT_EQ(flow.log.count("postponed destination=example.com messages=95"), 1U);
  EXPECT_EQ(flow.dispatcher->couriers(), 0U);
  // Alive again: all of it arrives with the next probe, or when its own time comes.
  Sink& mx = flow.sink("198.51.100.1");
  set_reachable(flow, io::ConnectRule::allow);
  flow.run(3min + 40s);
  EXPECT_EQ(mx.messages.size(), 95U) << "promptly when the pause is over";
  flow.run(5min);
  EXPECT_EQ(mx.messages.size(), 100U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(DeadDestination, ItsMailGoesOutInABoundedBurstWhenItLives) {
  DeliveryOptions options;
  options.connections_per_destination_max = 8;
  Flow flow(zone, options);
  set_reachable(flow, io::ConnectRule::refuse);
  for (int i = 0; i < 500; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_LE(attempts(flow), 5U);
  const std::size_t before = attempts(flow);
  Sink& mx = flow.sink("198.51.100.1");
  flow.sim.network().faults.latency_min = flow.sim.network().faults.latency_max = 20ms;
  set_reachable(flow, io::ConnectRule::allow);
  flow.run(3min + 45s);
  EXPECT_EQ(mx.messages.size(), 500U - before);
  EXPECT_EQ(mx.connections_most, 8U);
}

TEST(DeadDestination, TheProbeIsOneAndThePauseGrows) {
  DeliveryOptions options;
  options.retry = {10min, 20min, 40min};
  Flow flow(zone, options);
  set_reachable(flow, io::ConnectRule::refuse);
  for (int i = 0; i < 50; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  std::size_t before = attempts(flow);
  flow.run(9min);
  EXPECT_EQ(attempts(flow), before + 1) << "9 minutes after its death";
  before = attempts(flow);
  flow.run(16min);
  EXPECT_EQ(attempts(flow), before) << "18 minutes from there";
  flow.run(3min);
  EXPECT_EQ(attempts(flow), before + 1);
}

TEST(DeadDestination, MailThatComesMeanwhileWaitsWithoutAnAttempt) {
  Flow flow(zone);
  set_reachable(flow, io::ConnectRule::refuse);
  for (int i = 0; i < 5; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(10s);
  const std::size_t before = attempts(flow);
  flow.resolver.take_lookups();
  flow.submit("a@example.org", {"c@example.com"});
  flow.run(10s);
  EXPECT_EQ(attempts(flow), before);
  EXPECT_EQ(flow.queued(), 5U + 1U);
  EXPECT_TRUE(flow.resolver.take_lookups().empty()) << "known to be dead";
  EXPECT_TRUE(flow.mail_queue->due_destinations().empty());
  Sink& mx = flow.sink("198.51.100.1");
  set_reachable(flow, io::ConnectRule::allow);
  flow.dispatcher->retry_now();
  flow.mail_queue->flush();
  flow.run(10s);
  EXPECT_EQ(mx.messages.size(), 6U) << "the administrator's word counts at once";
}

TEST(DeadDestination, TheAdministratorsRetryIsReallyAnAttempt) {
  Flow flow(zone);
  set_reachable(flow, io::ConnectRule::hang);
  for (int i = 0; i < 20; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(2min);
  flow.resolver.take_lookups();
  flow.submit("a@example.org", {"c@example.com"});
  flow.run(1s);
  ASSERT_TRUE(flow.resolver.take_lookups().empty());
  flow.dispatcher->retry_now();
  const queue::MessageId last = flow.last_id;
  ASSERT_TRUE(flow.mail_queue->retry(last));
  flow.run(1s);
  EXPECT_FALSE(flow.resolver.take_lookups().empty());
  EXPECT_EQ(flow.dispatcher->couriers(), 1U);
  // What hung since before the word does not speak against the destination.
  flow.run(10s);
  flow.dispatcher->retry_now();
  flow.run(2min);
  EXPECT_EQ(flow.log.count("destination-dead"), 1U);
  flow.submit("a@example.org", {"d@example.com"});
  flow.run(1s);
  EXPECT_EQ(flow.dispatcher->couriers(), 1U);
}

TEST(DeadDestination, WhatIsOwedIsDoneWithoutAnAttempt) {
  DeliveryOptions options;
  options.retry = {10min, 5h};
  options.lifetime = 2h;
  options.report_lifetime = 1h;
  Flow flow(zone, options);
  Sink& home = flow.sink("198.51.100.9");
  set_reachable(flow, io::ConnectRule::refuse);
  for (int i = 0; i < 10; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.submit("", {"b@example.com"});
  flow.run(30min);
  EXPECT_EQ(flow.log.count("destination-dead"), 2U);
  flow.resolver.take_lookups();
  flow.run(31min);
  EXPECT_EQ(flow.queued(), 10U) << "without a report, the shorter lifetime is over";
  EXPECT_TRUE(home.messages.empty());
  flow.run(1h);
  EXPECT_EQ(home.messages.size(), 10U);
  EXPECT_THAT(home.messages.at(0).content, HasSubstr("Status: 4.4.7\r\n"));
  EXPECT_EQ(flow.queued(), 0U);
  for (const std::string& line : flow.log.lines)
    EXPECT_FALSE(line.contains("bounced") && !line.contains("remote=mx")) << line;
}

TEST(DeadDestination, SoIsOneWithoutDns) {
  Flow flow(zone);
  for (int i = 0; i < 100; ++i) flow.submit("a@example.org", {"b@broken.example"});
  flow.run(2min);
  EXPECT_LE(attempts(flow), 5U);
  EXPECT_EQ(flow.log.count("destination-dead destination=broken.example"), 1U);
}

TEST(DeadDestination, SoIsOneThatGreetsAndThenSaysNothing) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.9");
  mx.script = [](const std::string& command) {
    return command.starts_with("MAIL") ? "<hang>" : "";
  };
  for (int i = 0; i < 100; ++i) flow.submit("a@example.com", {"b@example.org"});
  flow.run(1min);
  EXPECT_EQ(mx.connections_most, 5U);
  flow.run(6min);
  EXPECT_EQ(flow.log.count("destination-dead destination=example.org"), 1U);
  EXPECT_EQ(mx.connections_now, 0U);
}

TEST(DeadDestination, OneMessageThatKillsItsConnectionsDoesNotStopTheOthers) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.9");
  mx.script = [](const std::string& command) {
    return command.contains("<poison@") ? "<reset>" : "";
  };
  flow.submit("a@example.com", {"poison@example.org"});
  for (int hour = 0; hour < 12; ++hour) {
    flow.submit("a@example.com", {"b@example.org"});
    flow.run(1h);
  }
  EXPECT_GE(mx.messages.size(), 11U);
}

// --- places

TEST(Places, NobodyHoldsThemAllWhileOthersWait) {
  DeliveryOptions options;
  options.connections_max = 10;
  Flow flow(zone, options);
  flow.sim.network().faults.latency_min = flow.sim.network().faults.latency_max = 100ms;
  Sink& busy = flow.sink("198.51.100.1");
  Sink& other = flow.sink("198.51.100.7");
  for (int i = 0; i < 2000; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(30s);
  EXPECT_EQ(busy.connections_most, 10U) << "nobody else wants them";
  ASSERT_LT(busy.messages.size(), 1000U);
  for (int i = 0; i < 200; ++i) flow.submit("a@example.org", {"b@other.example"});
  flow.run(5s);
  EXPECT_EQ(other.connections_now, 5U);
  EXPECT_EQ(busy.connections_now, 5U);
  EXPECT_GT(other.messages.size(), 10U);
  flow.run(5min);
  EXPECT_EQ(busy.messages.size() + other.messages.size(), 2200U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(Places, ManySmallDestinationsGoThroughAFullHouse) {
  DeliveryOptions options;
  options.connections_max = 3;
  std::string many = zone;
  for (int i = 0; i < 100; ++i) many += fmt::format("d{}.example MX 10 mx.example.org\n", i);
  Flow flow(many, options);
  Sink& mx = flow.sink("198.51.100.9");
  for (int i = 0; i < 100; ++i) flow.submit("a@example.com", {fmt::format("b@d{}.example", i)});
  flow.run(10s);
  EXPECT_EQ(mx.messages.size(), 100U) << "no connection waits idle while others wait for it";
  EXPECT_EQ(flow.dispatcher->couriers(), 0U);
}

TEST(Places, AHostThatHangsGetsAQuarter) {
  DeliveryOptions options;
  options.connections_max = 40;
  std::string many = zone;
  for (int i = 0; i < 100; ++i) many += fmt::format("d{}.example MX 10 mx.example.org\n", i);
  Flow flow(many, options);
  Sink& silent = flow.sink("198.51.100.9");
  silent.script = [](const std::string& command) {
    return command == "<greeting>" ? "<hang>" : "";
  };
  Sink& other = flow.sink("198.51.100.7");
  for (int i = 0; i < 100; ++i) flow.submit("a@example.com", {fmt::format("b@d{}.example", i)});
  flow.run(1min);
  EXPECT_EQ(silent.connections_most, 10U);
  flow.submit("a@example.com", {"b@other.example"});
  flow.run(1s);
  EXPECT_EQ(other.messages.size(), 1U);
  EXPECT_EQ(attempts(flow), 0U) << "who found no place was not attempted";
  silent.script = [](const std::string&) { return ""; };
  flow.run(20min);
  EXPECT_EQ(silent.messages.size(), 100U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(Places, TheNextHostTakesWhatTheCrowdedOneCannot) {
  DeliveryOptions options;
  options.connections_max = 20;
  Flow flow(std::string(zone) +
                "twin.example MX 10 mx1.example.com\ntwin.example MX 20 mx.other.example\n",
            options);
  Sink& silent = flow.sink("198.51.100.1");
  silent.script = [](const std::string& command) {
    return command == "<greeting>" ? "<hang>" : "";
  };
  Sink& second = flow.sink("198.51.100.7");
  for (int i = 0; i < 5; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1s);
  EXPECT_EQ(silent.connections_now, 5U);
  flow.submit("a@example.org", {"b@twin.example"});
  flow.run(1s);
  EXPECT_EQ(second.messages.size(), 1U);
}

// --- what a route sets

DeliveryOptions routed(const std::function<void(RouteLimits&)>& set) {
  DeliveryOptions options;
  options.routes = {*parse_route("example.com", {"smtp://198.51.100.30:2525"})};
  set(options.routes[0].limits);
  return options;
}

TEST(RouteLimits, BoundConnectionsAndWhatGoesOverOne) {
  Flow flow(zone, routed([](RouteLimits& limits) {
              limits.connections_max = 2;
              limits.messages_per_connection_max = 5;
            }));
  flow.sim.network().faults.latency_min = flow.sim.network().faults.latency_max = 20ms;
  Sink& hop = flow.sink("198.51.100.30", 2525);
  Sink& other = flow.sink("198.51.100.7");
  for (int i = 0; i < 40; ++i) {
    flow.submit("a@example.org", {"b@example.com"});
    flow.submit("a@example.org", {"b@other.example"});
  }
  flow.run(1min);
  EXPECT_EQ(hop.messages.size(), 40U);
  EXPECT_EQ(hop.connections_most, 2U);
  EXPECT_GE(hop.connections, 8U);
  EXPECT_GT(other.connections_most, 2U) << "others are as before";
}

TEST(RouteLimits, BoundTheRate) {
  Flow flow(zone, routed([](RouteLimits& limits) { limits.messages_per_minute_max = 30; }));
  Sink& hop = flow.sink("198.51.100.30", 2525);
  for (int i = 0; i < 100; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_GE(hop.messages.size(), 29U);
  EXPECT_LE(hop.messages.size(), 31U);
  EXPECT_LE(hop.connections, 10U) << "the connection waits for the next";
  flow.run(3min);
  EXPECT_EQ(hop.messages.size(), 100U);
  flow.run(1min);
  EXPECT_EQ(flow.dispatcher->couriers(), 0U);
}

TEST(RouteLimits, ASlowRateKeepsNoConnection) {
  Flow flow(zone, routed([](RouteLimits& limits) { limits.messages_per_minute_max = 1; }));
  Sink& hop = flow.sink("198.51.100.30", 2525);
  for (int i = 0; i < 5; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(30s);
  EXPECT_EQ(hop.messages.size(), 1U);
  EXPECT_EQ(flow.dispatcher->couriers(), 0U);
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(10s);
  EXPECT_EQ(hop.messages.size(), 1U) << "it is remembered while nobody serves it";
  flow.run(3min);
  EXPECT_EQ(hop.messages.size(), 4U);
}

TEST(RouteLimits, RetryAndLifetime) {
  Flow flow(zone, routed([](RouteLimits& limits) {
              limits.retry = {1min, 30min};
              limits.lifetime = 40min;
            }));
  Sink& hop = flow.sink("198.51.100.30", 2525);
  Sink& home = flow.sink("198.51.100.9");
  hop.script = [](const std::string& c) { return c.starts_with("RCPT") ? "450 4.2.0 later" : ""; };
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(2min);
  EXPECT_EQ(hop.connections, 2U);
  flow.run(37min);
  EXPECT_EQ(hop.connections, 3U);
  EXPECT_TRUE(home.messages.empty());
  flow.run(2min);
  EXPECT_EQ(home.messages.size(), 1U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(RouteLimits, FollowTheOptions) {
  Flow flow(zone, routed([](RouteLimits& limits) { limits.messages_per_minute_max = 1; }));
  Sink& hop = flow.sink("198.51.100.30", 2525);
  for (int i = 0; i < 10; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(10s);
  EXPECT_EQ(hop.messages.size(), 1U);
  DeliveryOptions options = routed([](RouteLimits&) {});
  options.hostname = "gw.example.net";
  flow.dispatcher->set_options(options);
  flow.run(1min);
  EXPECT_EQ(hop.messages.size(), 10U);
}

TEST(RouteLimits, MailQueuedBeforeTheRouteGoesByIt) {
  Flow flow(zone);
  set_reachable(flow, io::ConnectRule::refuse);
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(10s);
  Sink& hop = flow.sink("198.51.100.30", 2525);
  DeliveryOptions options = routed([](RouteLimits&) {});
  options.hostname = "gw.example.net";
  flow.dispatcher->set_options(options);
  flow.run(10min);
  EXPECT_EQ(hop.messages.size(), 1U);
}

}  // namespace
}  // namespace postern::delivery::testing
