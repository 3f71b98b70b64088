// What the Recorder makes of outcomes: reports, dead letters, notices of delay.
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
    "other.example MX 10 mx.other.example\nmx.other.example A 198.51.100.7\n";

/// To b@example.com alone.
mail::Envelope envelope_from(std::string from, const mail::DsnNotify& notify) {
  mail::Envelope envelope;
  envelope.reverse_path = std::move(from);
  envelope.recipients.resize(1);
  envelope.recipients[0].address = "b@example.com";
  envelope.recipients[0].notify = notify;
  return envelope;
}

TEST(Recorder, PermanentRefusalIsReportedToTheReversePath) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  Sink& home = flow.sink("198.51.100.9");
  mx.script = answers("RCPT", "550 5.1.1 no such user");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(30s);
  EXPECT_TRUE(mx.messages.empty());
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_THAT(home.messages[0].mail, HasSubstr("MAIL FROM:<>"));
  EXPECT_THAT(home.messages[0].rcpts.at(0), HasSubstr("<a@example.org>"));
  const std::string& report = home.messages[0].content;
  EXPECT_THAT(report, HasSubstr("To: <a@example.org>\r\n"));
  EXPECT_THAT(report, HasSubstr("Final-Recipient: rfc822; b@example.com\r\n"));
  EXPECT_THAT(report, HasSubstr("Status: 5.1.1\r\n"));
  EXPECT_THAT(report, HasSubstr("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
  EXPECT_THAT(report, HasSubstr("Remote-MTA: dns; mx1.example.com\r\n"));
  EXPECT_THAT(report, HasSubstr("Subject: hello\r\n"));
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.log.count("bounced id="), 1U);
}

TEST(Recorder, WhatNobodyMayBeToldOfIsADeadLetter) {
  struct Case {
    const char* reason;
    const char* step;
    const char* reply;
    mail::DsnNotify notify;
  };
  const Case cases[] = {
      {"refused", "RCPT", "550 5.1.1 no such user", {}},
      {"refused, and silence was asked for", "RCPT", "550 no", {.specified = true, .never = true}},
      {"the content refused", "<content>", "554 5.6.0 no", {}},
      {"the lifetime over", "RCPT", "450 4.2.0 later", {}},
  };
  for (const Case& one : cases) {
    DeliveryOptions options;
    options.report_lifetime = 1h;
    Flow flow(zone, options);
    Sink& mx = flow.sink("198.51.100.1");
    mx.script = answers(one.step, one.reply);
    flow.submit(envelope_from("", one.notify));
    flow.run(2h);
    EXPECT_EQ(flow.queued(), 0U) << one.reason;
    EXPECT_EQ(flow.dead_letters(), 1U) << one.reason;
    EXPECT_EQ(flow.log.count("dead-letter id="), 1U) << one.reason;
    EXPECT_EQ(flow.log.count("`postern queue dead show "), 1U) << one.reason;
    EXPECT_EQ(flow.log.count("bounced"), 0U) << one.reason;
    // The administrator mends the cause and takes it up again.
    mx.script = [](const std::string&) { return std::string(); };
    flow.retry_dead_letters();
    flow.run(1min);
    ASSERT_EQ(mx.messages.size(), 1U) << one.reason;
    EXPECT_EQ(mx.messages[0].content, "Subject: hello\r\n\r\nHello\r\n");
    EXPECT_EQ(flow.dead_letters(), 0U) << one.reason;
  }
}

TEST(Recorder, ADeadLetterIsOnlyForThoseThatFailed) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = [](const std::string& command) -> std::string {
    if (command.contains("<bad@")) return "550 5.1.1 no";
    if (command.contains("<slow@")) return "451 4.2.0 later";
    return "";
  };
  flow.submit("", {"bad@example.com", "slow@example.com", "good@example.com"});
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 1U) << "slow@ still waits";
  EXPECT_EQ(flow.dead_letters(), 0U);
  mx.script = answers("RCPT TO:<bad@", "550 5.1.1 no");
  flow.run(6min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 1U);
  EXPECT_EQ(mx.messages.size(), 2U);
  EXPECT_EQ(flow.log.count("dead-letter id="), 1U);
  mx.script = [](const std::string&) { return std::string(); };
  flow.retry_dead_letters();
  flow.run(1min);
  ASSERT_EQ(mx.messages.size(), 3U);
  ASSERT_EQ(mx.messages[2].rcpts.size(), 1U);
  EXPECT_THAT(mx.messages[2].rcpts[0], HasSubstr("<bad@"));
}

TEST(Recorder, AReportThatFailsIsADeadLetter) {
  Flow flow(zone);
  flow.sink("198.51.100.1").script = answers("RCPT", "550 5.1.1 no such user");
  flow.sink("198.51.100.9").script = answers("RCPT", "550 5.1.1 no such sender");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 1U);
  EXPECT_EQ(flow.log.count("bounced id="), 1U);
  EXPECT_EQ(flow.log.count("dead-letter id="), 1U);
}

class DoubleBounces : public ::testing::Test {
 protected:
  static DeliveryOptions options() {
    DeliveryOptions options;
    options.double_bounce = DoubleBounce::postmaster;
    options.postmaster = "Postmaster@other.example";
    return options;
  }
  DoubleBounces() {
    mx.script = answers("RCPT", "550 5.1.1 no such user");
    home.script = answers("RCPT", "550 5.1.1 no such sender");
  }
  Flow flow{zone, options()};
  Sink& mx = flow.sink("198.51.100.1");
  Sink& home = flow.sink("198.51.100.9");
  Sink& postmaster = flow.sink("198.51.100.7");
};

TEST_F(DoubleBounces, GoToThePostmaster) {
  flow.submit("a@example.org", {"b@example.com"});
  flow.submit("", {"b@example.com"});
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 0U);
  EXPECT_EQ(flow.log.count("double-bounce id="), 2U);
  ASSERT_EQ(postmaster.messages.size(), 2U);
  for (const auto& message : postmaster.messages) {
    EXPECT_THAT(message.mail, HasSubstr("MAIL FROM:<>"));
    EXPECT_THAT(message.rcpts.at(0), HasSubstr("<Postmaster@other.example>"));
    EXPECT_THAT(message.content, HasSubstr("To: <Postmaster@other.example>\r\n"));
    EXPECT_THAT(message.content, HasSubstr("Action: failed\r\n"));
  }
}

TEST_F(DoubleBounces, EndAsADeadLetterWhenThePostmasterFailsToo) {
  postmaster.script = answers("RCPT", "550 5.1.1 nobody");
  flow.submit("", {"b@example.com"});
  flow.run(1s);
  // A new postmaster gets no report about the report to the old one.
  DeliveryOptions changed = options();
  changed.postmaster = "other@other.example";
  flow.dispatcher->set_options(changed);
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 1U);
  EXPECT_EQ(flow.log.count("double-bounce id="), 1U);
  EXPECT_EQ(flow.log.count("dead-letter id="), 1U);
}

TEST_F(DoubleBounces, ThePostmasterIsNotToldOfHisOwnMailbox) {
  postmaster.script = answers("RCPT", "550 5.1.1 nobody");
  flow.submit("", {"postmaster@OTHER.example"});
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 1U);
  EXPECT_EQ(flow.log.count("double-bounce id="), 0U);
}

TEST(Recorder, RemovedWithAReportThatNobodyMayGetItIsADeadLetter) {
  Flow flow(zone);
  flow.sink("198.51.100.1").script = answers("RCPT", "450 4.2.0 later");
  flow.submit("", {"b@example.com"});
  flow.run(1min);
  flow.remove_all_with_report("no longer wanted");
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(flow.dead_letters(), 1U);
}

TEST(Recorder, NotifyNeverIsRespected) {
  Flow flow(zone);
  flow.sink("198.51.100.1").script = answers("RCPT", "550 5.1.1 no such user");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit(envelope_from("a@example.org", {.specified = true, .never = true}));
  flow.run(1min);
  EXPECT_EQ(flow.queued(), 0U);
  EXPECT_EQ(home.connections, 0U);
  EXPECT_EQ(flow.log.count("bounced id="), 1U);
}

TEST(Recorder, SuccessIsReportedWhenTheNextHopWillNot) {
  for (const bool knows_dsn : {false, true}) {
    Flow flow(zone);
    Sink& mx = flow.sink("198.51.100.1");
    if (!knows_dsn) mx.extensions = "PIPELINING";
    Sink& home = flow.sink("198.51.100.9");
    flow.submit(envelope_from("a@example.org", {.specified = true, .success = true}));
    flow.run(1min);
    ASSERT_EQ(mx.messages.size(), 1U);
    ASSERT_EQ(home.messages.size(), knows_dsn ? 0U : 1U);
    if (!knows_dsn) EXPECT_THAT(home.messages[0].content, HasSubstr("Action: relayed\r\n"));
  }
}

TEST(Recorder, LifetimeOverIsReported) {
  DeliveryOptions options;
  options.lifetime = 2h;
  Flow flow(zone, options);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  const SteadyTime start = flow.sim.now();
  flow.run(3h);
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_THAT(home.messages[0].content, HasSubstr("Status: 4.4.7\r\n"));
  EXPECT_THAT(home.messages[0].content, HasSubstr("450 4.2.0 later"));
  EXPECT_THAT(home.messages[0].content, HasSubstr("gave up"));
  EXPECT_GE(home.messages[0].at - start, 2h - 1s);
  EXPECT_LE(home.messages[0].at - start, 2h + 10s);
  // 0, 5, 10, 20, 40, 80 minutes, and the end of the lifetime.
  EXPECT_EQ(mx.connections, 7U);
  EXPECT_EQ(flow.queued(), 0U);
}

// --- notices of delay

/// The reports that came to the sender.
std::vector<std::string> told(const Sink& home) {
  std::vector<std::string> contents;
  contents.reserve(home.messages.size());
  for (const auto& message : home.messages) contents.push_back(message.content);
  return contents;
}

TEST(DelayNotice, TellsOnceWhenItIsTimeAndOfAllWhoWait) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com", "c@example.com"});
  flow.run(4h - 1s);
  EXPECT_TRUE(home.messages.empty());
  flow.run(10s);
  ASSERT_EQ(home.messages.size(), 1U) << "at its time, though the retry list has a pause then";
  const std::string report = home.messages[0].content;
  EXPECT_THAT(report, HasSubstr("Final-Recipient: rfc822; b@example.com\r\nAction: delayed\r\n"));
  EXPECT_THAT(report, HasSubstr("Final-Recipient: rfc822; c@example.com\r\nAction: delayed\r\n"));
  EXPECT_THAT(report, HasSubstr("Status: 4.2.0\r\n"));
  EXPECT_THAT(report, HasSubstr("Will-Retry-Until: "));
  EXPECT_THAT(report, HasSubstr("450 4.2.0 later"));
  EXPECT_EQ(flow.log.count("delay-told id="), 2U);
  flow.run(24h);
  EXPECT_EQ(home.messages.size(), 1U);
  mx.script = [](const std::string&) { return std::string(); };
  flow.run(1h + 1min);
  EXPECT_EQ(mx.messages.size(), 1U);
  EXPECT_EQ(flow.queued(), 0U);
}

TEST(DelayNotice, ByNotify) {
  struct Case {
    const char* reason;
    const char* from;
    mail::DsnNotify notify;
    std::size_t reports;
  };
  const Case cases[] = {
      {"absent", "a@example.org", {}, 1},
      {"asked for", "a@example.org", {.specified = true, .delay = true}, 1},
      {"among others", "a@example.org", {.specified = true, .success = true, .delay = true}, 1},
      {"of failure only", "a@example.org", {.specified = true, .failure = true}, 0},
      {"never", "a@example.org", {.specified = true, .never = true}, 0},
      {"asked for by nobody", "", {.specified = true, .delay = true}, 0},
  };
  for (const Case& one : cases) {
    Flow flow(zone);
    flow.sink("198.51.100.1").script = answers("RCPT", "450 4.2.0 later");
    Sink& home = flow.sink("198.51.100.9");
    flow.submit(envelope_from(one.from, one.notify));
    flow.run(6h);
    EXPECT_EQ(home.messages.size(), one.reports) << one.reason;
  }
}

TEST(DelayNotice, OffTellsNobody) {
  DeliveryOptions options;
  options.delay_notice = Duration::zero();
  Flow flow(zone, options);
  flow.sink("198.51.100.1").script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(24h);
  EXPECT_TRUE(home.messages.empty());
}

TEST(DelayNotice, ComesAtItsTimeWhateverThePauses) {
  DeliveryOptions options;
  options.retry = {24h};
  Flow flow(zone, options);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(4h + 10s);
  EXPECT_EQ(mx.connections, 2U);
  EXPECT_EQ(home.messages.size(), 1U);
  flow.run(23h);
  EXPECT_EQ(mx.connections, 2U) << "then the list goes on";
  flow.run(1h);
  EXPECT_EQ(mx.connections, 3U);
}

TEST(DelayNotice, TheAttemptAtItsTimeMaySpareIt) {
  DeliveryOptions options;
  options.retry = {24h};
  Flow flow(zone, options);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(1h);
  mx.script = [](const std::string&) { return std::string(); };
  flow.run(4h);
  EXPECT_EQ(mx.messages.size(), 1U);
  EXPECT_TRUE(home.messages.empty());
}

TEST(DelayNotice, AlsoWhenNothingIsAttemptedSinceTheDestinationIsDead) {
  Flow flow(zone);
  for (const char* address : {"198.51.100.1", "198.51.100.2"})
    flow.sim.network().set_connect_rule(*IpAddress::parse(address), io::ConnectRule::refuse);
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(20min);
  flow.submit("A@example.org", {"c@example.com"});
  flow.run(4h + 1min);
  ASSERT_EQ(home.messages.size(), 2U);
  for (const std::string& report : told(home)) {
    EXPECT_THAT(report, HasSubstr("Action: delayed\r\n"));
    EXPECT_THAT(report, HasSubstr("Status: 4.4.1\r\n"));
    EXPECT_THAT(report, HasSubstr("connection refused"));
  }
  flow.run(12h);
  EXPECT_EQ(home.messages.size(), 2U);
}

TEST(DelayNotice, OneReportTellsOfDelayAndOfFailure) {
  Flow flow(zone);
  Sink& mx = flow.sink("198.51.100.1");
  mx.script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com", "c@example.com"});
  flow.run(3h + 50min);
  mx.script = [](const std::string& command) -> std::string {
    if (command.starts_with("RCPT TO:<b@")) return "550 5.1.1 gone";
    return command.starts_with("RCPT") ? "450 4.2.0 later" : "";
  };
  flow.run(20min);
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_THAT(home.messages[0].content, HasSubstr("Action: failed\r\n"));
  EXPECT_THAT(home.messages[0].content, HasSubstr("Action: delayed\r\n"));
}

TEST(DelayNotice, AFailureAtItsTimeIsToldAsAFailureOnly) {
  DeliveryOptions options;
  options.lifetime = options.delay_notice = 2h;
  Flow flow(zone, options);
  flow.sink("198.51.100.1").script = answers("RCPT", "450 4.2.0 later");
  Sink& home = flow.sink("198.51.100.9");
  flow.submit("a@example.org", {"b@example.com"});
  flow.run(3h);
  ASSERT_EQ(home.messages.size(), 1U);
  EXPECT_THAT(home.messages[0].content, HasSubstr("Action: failed\r\n"));
  EXPECT_FALSE(home.messages[0].content.contains("delayed"));
}

}  // namespace
}  // namespace postern::delivery::testing
