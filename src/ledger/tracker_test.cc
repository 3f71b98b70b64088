#include "ledger/tracker.h"

#include <gtest/gtest.h>

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

Attempt attempt(Duration after, std::string_view client, bool accepted = false,
                std::string_view sender = "ann@example.com") {
  return {.time = noon + after,
          .client = *IpAddress::parse(client),
          .helo = "mail.example.com",
          .sender = sender,
          .recipient = "bob@example.net",
          .accepted = accepted,
          .greeting = upstream::Greeting::ehlo};
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

Deferral deferral_of_attempts(const std::vector<Duration>& times) {
  std::vector<Attempt> attempts;
  attempts.reserve(times.size());
  for (const Duration time : times) attempts.push_back(attempt(time, "192.0.2.1"));
  return tracked(attempts).deferrals().front();
}

Assessment assessed(const Deferral& deferral, Duration after) {
  return assess(deferral, noon + after, upstream::shipped_profiles_read());
}

TEST(Deferral, WhatIsGivenUpHasNoReportToCome) {
  // A Postfix that is set to a day instead of its five.
  std::vector<Duration> times{0s, 5min, 10min, 20min, 40min, 80min};
  while (times.back() < 23h) times.push_back(times.back() + 4000s);
  const Deferral deferral = deferral_of_attempts(times);
  EXPECT_EQ(assessed(deferral, times.back() + 1h).outcome, Outcome::retrying);
  const Assessment said = assessed(deferral, 30h);
  EXPECT_EQ(said.outcome, Outcome::given_up);
  EXPECT_EQ(said.forecast.gives_up, noon + times.back() + 4000s);
  EXPECT_EQ(said.forecast.first_sign, said.forecast.gives_up);
  EXPECT_EQ(said.forecast.next_attempt, said.forecast.gives_up);
}

TEST(Deferral, AnAnswerForGoodIsItsEnd) {
  Deferral deferral = deferral_of_attempts({0s, 5min, 10min});
  Attempt last = attempt(4h, "192.0.2.1");
  last.refused_for_good = true;
  EXPECT_TRUE(note(deferral, last));
  for (const Duration after : {Duration(4h), Duration(200h)}) {
    const Assessment said = assessed(deferral, after);
    EXPECT_EQ(said.outcome, Outcome::given_up);
    EXPECT_EQ(said.forecast.gives_up, noon + 4h);
    EXPECT_EQ(said.forecast.first_sign, noon + 4h) << "its server tells at once";
  }
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
  nameless.helo = "";
  Attempt first = attempt(0s, "192.0.2.1");
  first.helo = "";
  EXPECT_EQ(tracked({first, nameless}).deferrals().size(), 2U) << "no name is no common name";
}

TEST(Tracker, NamesOfOnePoolBelongTogether) {
  struct Case {
    const char* first;
    const char* second;
    std::size_t deferrals;
    const char* why;
  };
  for (const Case& one : {
           Case{"mail-wm1-f50.google.com", "mail-lf1-f41.GOOGLE.com", 1, "one pool"},
           {"mail.example.com", "example.com", 1, "a domain, and a name below"},
           {"mail.example.com", "mail.example.org", 2, "other domains"},
           {"mx.localdomain", "mail.localdomain", 2, "a domain of one label is nobody's"},
           {"example.com", "example.org", 2, "nor is a top-level domain"},
           {"[192.0.2.1]", "[198.0.2.1]", 2, "addresses have no domain"},
           {"192.0.2.1", "198.0.2.1", 2, "nor without brackets"},
       }) {
    Attempt first = attempt(0s, "192.0.2.1");
    first.helo = one.first;
    Attempt second = attempt(5min, "198.51.100.1");
    second.helo = one.second;
    EXPECT_EQ(tracked({first, second}).deferrals().size(), one.deferrals) << one.why;
  }
}

TEST(Tracker, AttemptsOfOneMomentAreOne) {
  // A message that is offered to two of our addresses each time, from two of its own.
  std::vector<Attempt> attempts;
  for (const Duration after : {0s, 300s, 600s, 1200s}) {
    attempts.push_back(attempt(after, "2001:db8::1"));
    attempts.push_back(attempt(after + 2s, "192.0.2.1"));
  }
  const Tracker tracker = tracked(attempts);
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  const Deferral& deferral = tracker.deferrals()[0];
  EXPECT_EQ(deferral.attempts_count, 4U);
  EXPECT_EQ(deferral.last_attempt, noon + 1200s);
  EXPECT_EQ(deferral.addresses.size(), 2U);
  EXPECT_EQ(assess(deferral, noon + 1h, upstream::shipped_profiles_read()).upstream.profile->name,
            "postfix");
}

TEST(Tracker, AcceptedLaterHasRecovered) {
  const Tracker tracker = tracked(
      {attempt(0s, "192.0.2.1"), attempt(5min, "192.0.2.1"), attempt(2h, "203.0.113.9", true)});
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  EXPECT_EQ(outcome(tracker, 3h), Outcome::recovered);
  EXPECT_EQ(*tracker.deferrals()[0].accepted - noon, 2h);
  EXPECT_EQ(tracker.deferrals()[0].accepted_from.text(), "203.0.113.9");
}

TEST(Tracker, WhatWasTakenBeforeTheFirstRefusalIsAnotherMessage) {
  // A log tells of a message when it is delivered, long after it came.
  const Tracker tracker = tracked({attempt(1h, "192.0.2.1"), attempt(50min, "192.0.2.1", true)});
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  EXPECT_FALSE(tracker.deferrals()[0].accepted);
  EXPECT_EQ(outcome(tracked({attempt(0s, "192.0.2.1"), attempt(0s, "192.0.2.1", true)}), 1h),
            Outcome::recovered)
      << "in the same moment it may be the same";
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

std::vector<Attempt> attempts_of(std::string_view profile, Duration begin = {}) {
  std::vector<Attempt> attempts;
  for (const Duration after : upstream::shipped_profiles_read().find(profile)->attempts())
    attempts.push_back(attempt(begin + after, "192.0.2.1"));
  return attempts;
}

TEST(Tracker, WhatComesAfterTheEndIsAnotherMail) {
  const std::vector<Attempt> first = attempts_of("exchange");
  for (const auto& [again, deferrals, why] : {
           std::tuple{Duration(24h * 2 + 30min), 1U, "it may be late"},
           std::tuple{Duration(24h * 2 + 5h), 2U, "its user was told, and has sent it once more"},
           std::tuple{Duration(24h * 5), 2U, "long after"},
       })
    for (const bool accepted : {false, true}) {
      Tracker tracker = tracked(first);
      tracker.add(attempt(again, "192.0.2.1", accepted));
      const bool other = deferrals == 2;
      EXPECT_EQ(tracker.deferrals().size(), accepted ? 1U : deferrals) << why;
      EXPECT_EQ(tracker.deferrals()[0].accepted.has_value(), accepted && !other) << why;
      EXPECT_EQ(
          assess(tracker.deferrals()[0], noon + again + 1min, upstream::shipped_profiles_read())
              .outcome,
          other      ? Outcome::given_up
          : accepted ? Outcome::recovered
                     : Outcome::retrying)
          << why;
    }
}

TEST(Tracker, WhoComesBackAfterAnOutageHasNotGivenUp) {
  const Tracker tracker = tracked({attempt(0s, "192.0.2.1"), attempt(5min, "192.0.2.1"),
                                   attempt(14h, "192.0.2.1"), attempt(15h, "192.0.2.1")});
  ASSERT_EQ(tracker.deferrals().size(), 1U);
  EXPECT_EQ(outcome(tracker, 24h), Outcome::retrying) << "it has been away for longer";
  EXPECT_EQ(tracked({attempt(0s, "192.0.2.1"), attempt(12h, "192.0.2.1")}).deferrals().size(), 1U)
      << "a slow second attempt";
}

TEST(Tracker, WaitsThatGrowTwofoldAreNobodysAndNoGivingUp) {
  std::vector<Attempt> attempts{attempt(0s, "192.0.2.1")};
  Duration wait = 30min;
  for (int i = 0; i < 6; ++i, wait *= 2) {
    EXPECT_EQ(outcome(tracked(attempts), attempts.back().time - noon + wait), Outcome::retrying)
        << i;
    attempts.push_back(attempt(attempts.back().time - noon + wait, "192.0.2.1"));
  }
}

TEST(Tracker, SilenceBeyondItsWaitsIsGivingUp) {
  const std::vector<Attempt> attempts = attempts_of("postfix");
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
