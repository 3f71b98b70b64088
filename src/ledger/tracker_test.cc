#include "ledger/tracker.h"

#include <gtest/gtest.h>

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

Attempt attempt(Duration after, std::string_view client, bool accepted = false,
                std::string sender = "ann@example.com") {
  return {.time = noon + after,
          .client = *IpAddress::parse(client),
          .helo = "mail.example.com",
          .sender = std::move(sender),
          .recipient = "bob@example.net",
          .accepted = accepted};
}

Tracker tracked(const std::vector<Attempt>& attempts) {
  Tracker tracker;
  for (const Attempt& attempt : attempts) tracker.add(attempt);
  return tracker;
}

Outcome outcome(const Tracker& tracker, Duration after) {
  return assess(tracker.deferrals().back(), noon + after, upstream::shipped_profiles_read())
      .outcome;
}

TEST(Tracker, OneAttemptMaySoonBeFollowed) {
  const Tracker tracker = tracked({attempt(0s, "192.0.2.1")});
  EXPECT_EQ(outcome(tracker, 1h), Outcome::retrying);
  EXPECT_EQ(outcome(tracker, 5h), Outcome::never_retried);
}

TEST(Tracker, AttemptsOfOneNetworkBelongTogether) {
  Attempt other_helo = attempt(5min, "192.0.2.77");
  other_helo.helo = "other.example.com";
  other_helo.sender = "Ann@EXAMPLE.com";
  const Tracker tracker = tracked({attempt(0s, "192.0.2.1"), other_helo});
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  EXPECT_EQ(tracker.deferrals()[0].attempts_count, 2U);
  EXPECT_EQ(tracker.deferrals()[0].addresses.size(), 2U);
}

TEST(Tracker, AnotherNetworkWithTheSameNameToo) {
  EXPECT_EQ(tracked({attempt(0s, "192.0.2.1"), attempt(5min, "198.51.100.1")}).deferrals().size(),
            1U);
  Attempt stranger = attempt(5min, "198.51.100.1");
  stranger.helo = "stranger.example";
  EXPECT_EQ(tracked({attempt(0s, "192.0.2.1"), stranger}).deferrals().size(), 2U);
  Attempt nameless = attempt(5min, "198.51.100.1");
  nameless.helo.clear();
  Attempt first = attempt(0s, "192.0.2.1");
  first.helo.clear();
  EXPECT_EQ(tracked({first, nameless}).deferrals().size(), 2U) << "no name is no common name";
}

TEST(Tracker, AcceptedLaterHasRecovered) {
  const Tracker tracker = tracked(
      {attempt(0s, "192.0.2.1"), attempt(5min, "192.0.2.1"), attempt(2h, "203.0.113.9", true)});
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  EXPECT_EQ(outcome(tracker, 3h), Outcome::recovered);
  EXPECT_EQ(*tracker.deferrals()[0].accepted - noon, 2h);
  EXPECT_EQ(tracker.deferrals()[0].accepted_from.text(), "203.0.113.9");
}

TEST(Tracker, AReportOfSomebodyElseIsNoRecovery) {
  Attempt elsewhere = attempt(1h, "203.0.113.9", true, "");
  elsewhere.helo = "other.example";
  EXPECT_EQ(outcome(tracked({attempt(0s, "192.0.2.1", false, ""), elsewhere}), 2h),
            Outcome::retrying);
  EXPECT_EQ(
      outcome(tracked({attempt(0s, "192.0.2.1", false, ""), attempt(1h, "192.0.2.2", true, "")}),
              2h),
      Outcome::recovered);
}

TEST(Tracker, TheNextMailIsAnotherDeferral) {
  const Tracker tracker = tracked(
      {attempt(0s, "192.0.2.1"), attempt(5min, "192.0.2.1", true), attempt(6min, "192.0.2.1")});
  EXPECT_EQ(tracker.deferrals().size(), 2U);
  EXPECT_EQ(tracked({attempt(0s, "192.0.2.1"), attempt(10 * 24h, "192.0.2.1")}).deferrals().size(),
            2U);
  EXPECT_TRUE(tracked({attempt(0s, "192.0.2.1", true)}).deferrals().empty());
}

TEST(Tracker, SilenceBeyondItsWaitsIsGivingUp) {
  std::vector<Attempt> attempts;
  const upstream::Profile& postfix = *upstream::shipped_profiles_read().find("postfix");
  for (const Duration after : postfix.attempts()) attempts.push_back(attempt(after, "192.0.2.1"));
  const Tracker tracker = tracked(attempts);
  const Deferral& deferral = tracker.deferrals().at(0);
  EXPECT_EQ(deferral.attempts_count, attempts.size());
  EXPECT_EQ(deferral.attempts.size(), Deferral::attempts_kept);
  EXPECT_EQ(outcome(tracker, 5 * 24h + 1h), Outcome::retrying);
  EXPECT_EQ(outcome(tracker, 5 * 24h + 4h), Outcome::given_up);
  const Assessment assessment = assess(deferral, noon + 5 * 24h, upstream::shipped_profiles_read());
  EXPECT_EQ(assessment.upstream.profile->name, "postfix");
  EXPECT_EQ(assessment.forecast.gives_up, noon + 5 * 24h);
}

TEST(Tracker, Networks) {
  EXPECT_EQ(network_of(*IpAddress::parse("192.0.2.77")).text(), "192.0.2.0/24");
  EXPECT_EQ(network_of(*IpAddress::parse("2001:db8:1:2:3::9")).text(), "2001:db8:1:2::/64");
}

}  // namespace
}  // namespace postern::ledger
