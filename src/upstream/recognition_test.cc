#include "upstream/recognition.h"

#include <gtest/gtest.h>

namespace postern::upstream {
namespace {

using namespace std::chrono_literals;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

const Profiles& profiles() {
  return shipped_profiles_read();
}

/// The attempts of a server that does as the profile says, each `late` after its time.
std::vector<WallTime> attempts_of(const Profile& profile, std::size_t count, Duration late = {}) {
  std::vector<WallTime> times;
  for (const Duration offset : profile.attempts()) {
    if (times.size() == count) break;
    times.push_back(noon + offset + (times.size() % 2 == 1 ? late : Duration{}));
  }
  return times;
}

std::string recognized(std::vector<WallTime> attempts, std::string helo = {},
                       Greeting greeting = Greeting::unknown) {
  return recognize({std::move(attempts), std::move(helo), greeting}, profiles())
      .front()
      .profile->name;
}

TEST(Recognition, FiveAttemptsTellWhoItIs) {
  for (const Profile& profile : profiles().all) {
    if (profile.name == "spam_tool") continue;
    EXPECT_EQ(recognized(attempts_of(profile, 5), {}, profile.greeting), profile.name);
    EXPECT_EQ(recognized(attempts_of(profile, 5, 15s), {}, profile.greeting), profile.name)
        << "a little late";
  }
}

TEST(Recognition, WhatIsForecastIsWithinOneInterval) {
  for (const Profile& profile : profiles().all) {
    if (profile.name == "spam_tool") continue;
    const auto attempts = attempts_of(profile, 5);
    const auto all = profile.attempts();
    const Forecast told =
        forecast(attempts.front(), attempts.back(), attempts.size(),
                 *recognize({attempts, {}, profile.greeting}, profiles()).front().profile);
    const WallTime ends = noon + all.back();
    EXPECT_LE(std::chrono::abs(told.gives_up - ends), told.retry_interval) << profile.name;
    EXPECT_EQ(told.next_attempt, noon + all.at(5)) << profile.name;
    EXPECT_EQ(told.first_sign.has_value(), profile.reports) << profile.name;
  }
}

TEST(Recognition, WhoIsLateIsKnownAllTheSame) {
  // A queue that is run now and then: each wait is longer, by up to its half or five minutes.
  for (const Profile& profile : profiles().all) {
    if (profile.name == "spam_tool") continue;
    for (const Duration late_max : {Duration(20s), Duration(1min), Duration(5min)}) {
      std::vector<WallTime> attempts{noon};
      for (std::size_t i = 1; i < 5; ++i) {
        const Duration wait = profile.wait_after(i);
        const Duration late = std::min<Duration>(late_max, wait / 2) * ((i * 5 + 2) % 4) / 3;
        attempts.push_back(attempts.back() + wait + late);
      }
      EXPECT_EQ(recognized(attempts, {}, profile.greeting), profile.name)
          << format_duration(late_max);
    }
  }
}

TEST(Recognition, WhoTriesForLongerIsAnotherOrSetToAnotherTime) {
  const Profile& qmail = *profiles().find("qmail");
  const auto five = attempts_of(qmail, 5);
  EXPECT_EQ(recognize({five, {}, Greeting::helo, five.back()}, profiles()).front().profile->name,
            "qmail");
  const Profile& postfix = *profiles().find("postfix");
  const auto twelve = attempts_of(postfix, 12);
  EXPECT_EQ(
      recognize({twelve, {}, Greeting::ehlo, noon + 9 * 24h}, profiles()).front().profile->name,
      "postfix")
      << "nobody else has these waits";
  const WallTime late = noon + 9 * 24h;
  EXPECT_EQ(forecast(noon, late, 190, postfix).gives_up, late + postfix.then);
  EXPECT_EQ(forecast(noon, noon + postfix.give_up + 1s, 113, postfix).gives_up,
            noon + postfix.give_up + 1s)
      << "the last attempt itself";
}

TEST(Recognition, AName) {
  EXPECT_EQ(recognized({noon}, "EUR01-HE1-obe.outbound.protection.outlook.com"), "exchange_online");
  EXPECT_EQ(recognized({noon}, "mail-wm1-f50.google.com"), "gmail");
  // The times say otherwise, and a name is only a word.
  EXPECT_EQ(recognized(attempts_of(*profiles().find("haraka"), 6), "x.google.com"), "haraka");
}

TEST(Recognition, TheWordOfTheGreeting) {
  // qmail and OpenSMTPD have the same waits.
  const auto attempts = attempts_of(*profiles().find("qmail"), 5);
  EXPECT_EQ(recognized(attempts, {}, Greeting::helo), "qmail");
  EXPECT_EQ(recognized(attempts, {}, Greeting::ehlo), "opensmtpd");
  // Something in between may speak another word: the waits count for more.
  EXPECT_EQ(recognized(attempts_of(*profiles().find("exim"), 5), {}, Greeting::helo), "exim");
  EXPECT_EQ(recognized({noon}, {}, Greeting::helo), "spam_tool") << "says either";
}

TEST(Recognition, TheFirstSignFollowsTheEnd) {
  // No notice, and set to ten days instead of five: its user has not heard of it on the sixth.
  const Profile& postfix = *profiles().find("postfix");
  const Forecast told = forecast(noon, noon + 6 * 24h, 130, postfix);
  EXPECT_EQ(told.first_sign, told.gives_up);
  EXPECT_GT(told.gives_up, noon + 6 * 24h);
  const Profile& exim = *profiles().find("exim");
  EXPECT_EQ(forecast(noon, noon + 6 * 24h, 40, exim).first_sign, noon + exim.delay_notice);
}

TEST(Recognition, ProbabilitiesAddUp) {
  const auto candidates = recognize({attempts_of(*profiles().find("exim"), 4), "x"}, profiles());
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.probability;
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_EQ(candidates.size(), profiles().all.size());
  EXPECT_GT(candidates.front().probability, 0.8);
  EXPECT_TRUE(recognize({{noon}, {}}, Profiles{}).empty());
}

TEST(Recognition, OneAttemptSaysLittle) {
  const auto candidates = recognize({{noon}, "mail.example.com"}, profiles());
  EXPECT_LT(candidates.front().probability, 0.5);
}

TEST(Recognition, WhoNeverTriesAgainHasNoNextAttempt) {
  const Forecast told = forecast(noon, noon, 1, *profiles().find("spam_tool"));
  EXPECT_EQ(told.next_attempt, noon);
  EXPECT_FALSE(told.first_sign.has_value());
}

}  // namespace
}  // namespace postern::upstream
