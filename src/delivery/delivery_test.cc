#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/testing/flow.h"

namespace postern::delivery::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr const char* zone =
    "example.com MX 10 mx1.example.com\nexample.com MX 20 mx2.example.com\n"
    "mx1.example.com A 198.51.100.1\nmx2.example.com A 198.51.100.2\n"
    "example.org MX 10 mx.example.org\nmx.example.org A 198.51.100.9\n"
    "other.example MX 10 mx.other.example\nmx.other.example A 198.51.100.7\n"
    "nomail.example MX 0 .\n"
    "implicit.example A 198.51.100.3\n"
    "broken.example SERVFAIL\n"
    "self.example MX 10 gw.example.net\n"
    "backup.example MX 10 mx1.example.com\nbackup.example MX 20 gw.example.net\n"
    "backup.example MX 30 mx2.example.com\n"
    "hostless.example MX 10 nowhere.example\n";

TEST(Delivery, DeliversAndForgets) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  flow.submit("a@example.org", {"b@example.com", "c@example.com"}, "Subject: x\r\n\r\n.dot\r\n");
  flow.run(30s);
  ASSERT_EQ(mx.messages.size(), 1U);
  EXPECT_EQ(mx.messages[0].content, "Subject: x\r\n\r\n.dot\r\n");
  EXPECT_THAT(mx.messages[0].mail, HasSubstr("MAIL FROM:<a@example.org>"));
  EXPECT_EQ(mx.messages[0].rcpts.size(), 2U);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.log.count("delivered id="), 2U);
  EXPECT_EQ(flow.log.count("remote=mx1.example.com [198.51.100.1]:25 reply=250 2.0.0 taken"), 2U);
  EXPECT_EQ(mx.commands.back(), "QUIT");
  EXPECT_EQ(flow.dispatcher->couriers(), 0U);
}

TEST(Delivery, RetriesOnScheduleAndThenDelivers) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 greylisted");
  const SteadyTime start = flow.sim.now();
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_EQ(flow.log.count("deferred id="), 1U);
  EXPECT_EQ(mx.connections, 1U);
  flow.run(3min);
  EXPECT_EQ(mx.connections, 1U) << "not before its time";
  flow.run(2min);
  EXPECT_EQ(mx.connections, 2U);
  mx.script = [](const std::string&) { return std::string(); };
  flow.run(5min);
  ASSERT_EQ(mx.messages.size(), 1U);
  const auto waited = mx.messages[0].at - start;
  EXPECT_GE(waited, 10min);
  EXPECT_LE(waited, 10min + 5s);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.log.count("bounced"), 0U);
}

TEST(Delivery, MixedRecipients) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  Sink& home = flow.sink("198.51.100.9");
  mx.script = [](const std::string& command) -> std::string {
    if (command.contains("<bad@")) return "550 5.1.1 no";
    if (command.contains("<slow@")) return "451 4.2.0 later";
    return "";
  };
  flow.submit("a@example.org", {"bad@example.com", "slow@example.com", "good@example.com"});
  flow.run(1min);
  ASSERT_EQ(mx.messages.size(), 1U);
  EXPECT_EQ(mx.messages[0].rcpts.size(), 1U);
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_FALSE(home.messages[0].content.contains("good@"));
  EXPECT_FALSE(home.messages[0].content.contains("slow@"));
  EXPECT_EQ(flow.queued(), 1U);
  mx.script = [](const std::string&) { return std::string(); };
  flow.run(6min);
  ASSERT_EQ(mx.messages.size(), 2U);
  EXPECT_THAT(mx.messages[1].rcpts.at(0), HasSubstr("slow@"));
  EXPECT_EQ(mx.messages[1].rcpts.size(), 1U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(Delivery, OneConnectionServesSeveralMessages) {
  DeliveryOptions options;
  options.connections_per_destination_max = 1;
  options.messages_per_connection_max = 4;
  Flow flow(zone, options);
  Sink& mx = flow.sink("198.51.100.1");
  for (int i = 0; i < 10; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_EQ(mx.messages.size(), 10U);
  EXPECT_EQ(mx.connections, 3U);
}

TEST(Delivery, ABurstOpensMoreConnectionsButNotTooMany) {
  DeliveryOptions options;
  options.connections_per_destination_max = 3;
  Flow flow(zone, options);
  Sink& mx = flow.sink("198.51.100.1");
  flow.sim.network().faults.latency_min = flow.sim.network().faults.latency_max = 50ms;
  for (int i = 0; i < 40; ++i) flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_EQ(mx.messages.size(), 40U);
  EXPECT_EQ(mx.connections_most, 3U);
}

TEST(Delivery, TheWholeHouseIsBounded) {
  DeliveryOptions options;
  options.connections_max = 1;
  Flow flow(zone, options);
  Sink& one = flow.sink("198.51.100.1");
  Sink& two = flow.sink("198.51.100.7");
  Sink& three = flow.sink("198.51.100.9");
  for (int i = 0; i < 5; ++i) {
    flow.submit("a@example.org", {"b@example.com"});
    flow.submit("a@example.org", {"b@other.example"});
    flow.submit("a@example.com", {"b@example.org"});
  }
  flow.run(2min);
  EXPECT_EQ(one.messages.size() + two.messages.size() + three.messages.size(), 15U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(Delivery, AnIdleConnectionClosedByThePeerIsNoFailure) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(1s);
  ASSERT_EQ(mx.messages.size(), 1U);
  EXPECT_EQ(mx.connections_now, 1U) << "kept for more";
  flow.sim.network().reset_connections(*IpAddress::parse("198.51.100.1"));
  flow.submit("a@example.org", {"c@example.com"});
  flow.run(1s);
  EXPECT_EQ(mx.messages.size(), 2U);
  EXPECT_EQ(flow.log.count("deferred"), 0U);
}

TEST(Delivery, LmtpAnswersForEachRecipient) {
  DeliveryOptions options;
  options.routes = {*parse_route("example.com", {"lmtp://198.51.100.20:24"})};
  Flow flow(zone, options);
  Sink& box = flow.sink("198.51.100.20", 24);
  box.lmtp = true;
  box.script = [](const std::string& command) -> std::string {
    if (command.starts_with("<content>") && command.contains("full@")) return "552 5.2.2 full";
    if (command.starts_with("<content>") && command.contains("busy@")) return "451 4.3.0 busy";
    return "";
  };
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"ok@example.com", "full@example.com", "busy@example.com"});
  flow.run(1min);
  EXPECT_EQ(box.messages.size(), 1U);
  EXPECT_TRUE(box.commands[0].starts_with("LHLO "));
  EXPECT_EQ(flow.log.count("delivered id="), 2U) << "ok@ and the report";
  EXPECT_EQ(flow.log.count("deferred id="), 1U);
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_THAT(home.messages[0].content, HasSubstr("Status: 5.2.2"));
  EXPECT_EQ(flow.queued(), 1U);
}

TEST(Delivery, FallsBackToTheNextMailHost) {
  Flow flow(zone);
  flow.sim.network().set_connect_rule(*IpAddress::parse("198.51.100.1"), io::ConnectRule::refuse);
  Sink& second = flow.sink("198.51.100.2");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(30s);
  EXPECT_EQ(second.messages.size(), 1U);
  EXPECT_EQ(flow.log.count("deferred"), 0U);
}

TEST(Delivery, FallsBackWhenTheFirstHostHangsOrRefusesTheSession) {
  for (const char* greeting : {"<hang>", "<close>", "554 no service", "421 busy", "521 no mail"}) {
    Flow flow(zone);
    Sink& first = flow.sink("198.51.100.1");
    first.script = answers("<greeting>", greeting);
    Sink& second = flow.sink("198.51.100.2");
    flow.submit("a@example.org", {"b@example.com"});
    flow.run(6min);
    EXPECT_EQ(first.connections, 1U) << greeting;
    EXPECT_EQ(second.messages.size(), 1U) << greeting;
    EXPECT_EQ(flow.queued(), 0U) << greeting;
  }
}

TEST(Delivery, SlowAttemptsAreToldApart) {
  Flow flow(zone);
  flow.sink("198.51.100.9").script = answers("<greeting>", "<hang>");
  flow.sim.network().set_connect_rule(*IpAddress::parse("198.51.100.7"), io::ConnectRule::hang);
  flow.submit("a@example.org", {"b@example.org", "c@other.example"});
  flow.run(5min + 20s);
  const HistogramView seen = flow.dispatcher->metrics().attempt.view();
  std::map<Duration, std::uint64_t> counts;
  for (std::size_t i = 0; i < seen.bounds.size(); ++i)
    if (seen.buckets[i] > 0) counts[seen.bounds[i]] = seen.buckets[i];
  EXPECT_THAT(counts, ElementsAre(Pair(30s, 1U), Pair(10min, 1U)));
  EXPECT_EQ(seen.buckets.back(), 0U) << "longer than any bound";
}

TEST(Delivery, RoutesInTheirOrder) {
  DeliveryOptions options;
  options.routes = {*parse_route("*", {"smtp://198.51.100.30:2525", "smtp://198.51.100.31:2525"})};
  Flow flow(zone, options);
  Sink& second = flow.sink("198.51.100.31", 2525);
  flow.submit("a@example.org", {"b@example.com", "c@other.example"});
  flow.run(1min);
  ASSERT_EQ(second.messages.size(), 1U) << "one destination, so one transaction";
  EXPECT_EQ(second.messages[0].rcpts.size(), 2U);
  EXPECT_TRUE(flow.resolver.take_lookups().empty());
}

TEST(Delivery, WhatTheDnsSays) {
  struct Case {
    const char* domain;
    const char* line;
    std::uint64_t queued;
  };
  const Case cases[] = {
      {"nomail.example", "accepts no mail (null MX)", 0},
      {"nowhere.example", "does not exist", 0},
      {"self.example", "loops back to this host", 0},
      {"hostless.example", "have no address", 0},
      {"broken.example", "did not complete", 1},
      {"implicit.example", "delivered id=", 0},
      {"[198.51.100.3]", "delivered id=", 0},
      {"backup.example", "remote=mx1.example.com", 0},
  };
  for (const Case& c : cases) {
    Flow flow(zone);
    flow.sink("198.51.100.1");
    flow.sink("198.51.100.3");
    flow.sink("198.51.100.9");
    flow.submit("a@example.org", {std::string("b@") + c.domain});
    flow.run(1min);
    EXPECT_GE(flow.log.count(c.line), 1U) << c.domain;
    EXPECT_EQ(flow.queued(), c.queued) << c.domain;
  }
}

TEST(Delivery, GarbageAndLossAtEachStepIsTemporary) {
  const std::string steps[] = {"<greeting>", "EHLO", "MAIL", "RCPT", "DATA", "<content>"};
  for (const std::string& step : steps) {
    for (const char* reply : {"<reset>", "<close>", "<hang>", "nonsense", "<raw>2",
                              "<raw>250-a\r\n251 b\r\n", "421 4.3.2 going down"}) {
      Flow flow("example.com MX 10 mx1.example.com\nmx1.example.com A 198.51.100.1\n");
      Sink& mx = flow.sink("198.51.100.1");
      mx.script = answers(step, reply);
      flow.submit("a@example.org", {"b@example.com"});
      flow.run(4min + 50s);
      mx.script = [](const std::string&) { return std::string(); };
      // What hangs ends with its timeout, at most ten minutes after the end of data.
      flow.run(30min);
      EXPECT_EQ(flow.log.count("deferred id="), 1U) << step << " " << reply;
      EXPECT_EQ(flow.log.count("bounced"), 0U) << step << " " << reply;
      EXPECT_EQ(mx.messages.size(), 1U) << step << " " << reply;
      EXPECT_EQ(flow.queued(), 0U) << step << " " << reply;
    }
  }
}

TEST(Delivery, LargeContentAndManyRecipients) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  std::string content = "Subject: x\r\n\r\n";
  while (content.size() < 600'000) content += ".0123456789012345678901234567890123456789\r\n";
  std::vector<std::string> to;
  to.reserve(250);
  for (int i = 0; i < 250; ++i) to.push_back("user" + std::to_string(i) + "@example.com");
  flow.submit("a@example.org", to, content);
  flow.run(1min);
  ASSERT_EQ(mx.messages.size(), 3U) << "100, 100 and 50 recipients";
  EXPECT_EQ(mx.connections, 1U);
  for (const auto& message : mx.messages) EXPECT_TRUE(message.content == content);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(Delivery, TooManyRecipientsGoInAnotherTransaction) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  int in_transaction = 0;
  mx.script = [&](const std::string& command) -> std::string {
    if (command.starts_with("MAIL")) in_transaction = 0;
    if (command.starts_with("RCPT") && ++in_transaction > 2) return "452 4.5.3 too many";
    return "";
  };
  flow.submit("a@example.org", {"b@example.com", "c@example.com", "d@example.com"});
  flow.run(1min);
  EXPECT_EQ(mx.messages.size(), 2U);
  EXPECT_EQ(flow.queued(), 0U);
}

// A handshake that fails, as with a server that offers what it cannot do.
class NoTls final : public TlsClient {
 public:
  io::Task<Result<std::unique_ptr<io::Stream>>> start(std::unique_ptr<io::Stream> plain,
                                                      std::string, io::Deadline) override {
    plain->close();
    ++tries;
    co_return peer_failure(Cause::other, "no shared cipher");
  }
  int tries = 0;
};

TEST(Delivery, FailedTlsIsTriedAgainInTheClear) {
  NoTls tls;
  Flow flow(zone, {}, &tls);
  Sink& mx = flow.sink("198.51.100.1");
  mx.extensions += "\nSTARTTLS";
  mx.script = answers("STARTTLS", "220 go");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(30s);
  EXPECT_EQ(tls.tries, 1);
  EXPECT_EQ(mx.connections, 2U);
  EXPECT_EQ(mx.messages.size(), 1U);
  EXPECT_EQ(flow.log.count("tls-failed"), 1U);
}

TEST(Delivery, StopCutsWhatHangsAndKeepsItsMail) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("DATA", "<hang>");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(1s);
  EXPECT_EQ(flow.dispatcher->couriers(), 1U);
  const SteadyTime start = flow.sim.now();
  struct Stop {
    static io::Task<> run(Flow& flow) { co_await flow.dispatcher->stop(flow.world.clock.in(3s)); }
  };
  EXPECT_TRUE(flow.sim.run_task(flow.gateway, Stop::run(flow)));
  EXPECT_LE(flow.sim.now() - start, 4s);
  EXPECT_EQ(flow.queued(), 1U);
  EXPECT_EQ(flow.mail_queue->due_destinations(), std::vector<std::string>{"example.com"});
}

}  // namespace
}  // namespace postern::delivery::testing
