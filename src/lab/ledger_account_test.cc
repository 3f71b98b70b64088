#include "lab/ledger_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/flow_run.h"
#include "lab/ledger_check.h"
#include "lab/ledger_text.h"

namespace postern::lab {
namespace {

using namespace std::chrono_literals;
using ledger::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const upstream::Profiles& profiles() {
  return upstream::shipped_profiles_read();
}

Scenario shipped(std::string_view name) {
  for (const EmbeddedText& text : shipped_scenarios())
    if (text.name == name) return read_scenario(text.text, std::string(name), profiles()).scenario;
  ADD_FAILURE() << "there is no scenario " << name;
  return {};
}

FinishedFlow ran(const Scenario& scenario, const upstream::Profiles& known = profiles()) {
  auto finished = run_flow(scenario, known, 1);
  if (!finished) {
    ADD_FAILURE() << finished.error().what;
    std::abort();
  }
  return *std::move(finished);
}

FinishedFlow ran(std::string_view scenario, std::string_view profile) {
  return ran(with_profile(shipped(scenario), *profiles().find(profile)));
}

Duration rounded(Duration time) {
  return std::chrono::round<seconds>(time);
}

TEST(LedgerAccount, WhatIsRefusedUntilTheEndIsGivenUp) {
  const FinishedFlow finished = ran("kb", "exim");
  ASSERT_EQ(finished.ledgers.size(), 1U);
  const LedgerAccount& account = finished.ledgers[0];
  EXPECT_THAT(account.faults, IsEmpty());
  EXPECT_EQ(account.truth.outcome, Outcome::given_up);
  EXPECT_EQ(rounded(*account.truth.ended), 96h);
  EXPECT_EQ(rounded(*account.truth.first_sign), 24h);
  ASSERT_EQ(account.views.size(), 3U);
  EXPECT_EQ(account.views[0].outcome, Outcome::retrying);
  const LedgerView& five = *account.view_after(5);
  EXPECT_EQ(five.profile, "exim");
  EXPECT_EQ(rounded(five.at), 1h);
  EXPECT_EQ(rounded(five.next_attempt), 75min);
  EXPECT_EQ(rounded(*five.first_sign), 24h);
  const LedgerView& end = account.views.back();
  EXPECT_EQ(end.outcome, Outcome::given_up);
  EXPECT_GT(end.at, 96h) << "nobody can know at once";
  EXPECT_LT(end.at, 96h + 16h) << "twice its wait, and hours";
  const auto error = account.error();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(rounded(error->interval), 15min);
  EXPECT_LT(std::chrono::abs(error->gives_up), 5s);
  EXPECT_TRUE(error->within_one);
  EXPECT_LT(std::chrono::abs(error->first_sign.value_or(1h)), 5s);
  EXPECT_TRUE(error->first_sign_within_one);
}

TEST(LedgerAccount, WhatIsTakenLaterHasRecovered) {
  const FinishedFlow finished = ran("pool", "gmail");
  ASSERT_EQ(finished.ledgers.size(), 1U);
  const LedgerAccount& account = finished.ledgers[0];
  EXPECT_THAT(account.faults, IsEmpty());
  EXPECT_EQ(account.truth.outcome, Outcome::recovered);
  EXPECT_EQ(account.views.back().outcome, Outcome::recovered);
  std::vector<std::string> addresses;
  addresses.reserve(account.deferral.addresses.size());
  for (const IpAddress& address : account.deferral.addresses) addresses.push_back(address.text());
  EXPECT_THAT(addresses, ElementsAre("192.0.2.7", "192.0.2.8", "198.18.5.5"));
  EXPECT_EQ(account.deferral.accepted_from.text(), "203.0.113.9");
  EXPECT_EQ(rounded(*account.deferral.accepted - account.deferral.attempts.front()), 70min);
  EXPECT_FALSE(account.error().has_value());
}

TEST(LedgerAccount, WhatIsRefusedForGoodIsGivenUpThen) {
  const FinishedFlow finished = ran("escalation", "postfix");
  EXPECT_TRUE(finished.good());
  const LedgerAccount& account = finished.ledgers.at(0);
  EXPECT_THAT(account.faults, IsEmpty());
  EXPECT_EQ(account.truth.outcome, Outcome::given_up);
  EXPECT_TRUE(account.truth.refused_for_good);
  EXPECT_EQ(account.deferral.attempts_count, 8U);
  ASSERT_TRUE(account.deferral.refused_for_good.has_value());
  const LedgerView& end = account.views.back();
  EXPECT_LE(end.at, 280min + 2s) << "at once";
  EXPECT_EQ(rounded(end.gives_up), 280min);
  EXPECT_EQ(rounded(*end.first_sign), 280min);
  EXPECT_FALSE(account.error().has_value()) << "no forecast could have known";
}

TEST(LedgerAccount, AForecastThatWasNotMadeIsAMiss) {
  FinishedFlow finished = ran("kb", "postfix");
  LedgerCheck check;
  check.add("kb", finished);
  EXPECT_TRUE(check.good()) << check.text();
  std::erase_if(finished.ledgers[0].views, [](const LedgerView& view) {
    return view.attempts == LedgerAccount::judged_after;
  });
  LedgerCheck empty;
  empty.add("kb", finished);
  EXPECT_FALSE(empty.good());
  EXPECT_THAT(empty.text(), HasSubstr("for 0 of 1"));
}

TEST(LedgerAccount, EachPosternHasItsOwn) {
  const FinishedFlow finished = ran("two-mx", "postfix");
  ASSERT_EQ(finished.ledgers.size(), 2U);
  for (const LedgerAccount& account : finished.ledgers) {
    EXPECT_THAT(account.faults, IsEmpty()) << account.postern;
    EXPECT_EQ(account.deferral.attempts_count, 113U) << account.postern;
  }
  EXPECT_NE(finished.ledgers[0].postern, finished.ledgers[1].postern);
}

TEST(LedgerAccount, OneAttemptIsASpamToolsHabit) {
  const LedgerAccount account = ran("spam-tool", "spam_tool").ledgers.at(0);
  EXPECT_THAT(account.faults, IsEmpty());
  EXPECT_EQ(account.views.front().outcome, Outcome::retrying) << "it may come again";
  EXPECT_EQ(account.views.back().outcome, Outcome::never_retried);
}

TEST(LedgerAccount, WhoIsWrittenOffTooEarlyIsFound) {
  // Its waits become long all of a sudden, which a ledger that does not know it cannot foresee.
  upstream::Profiles known = profiles();
  upstream::Profile odd = *known.find("postfix");
  odd.name = "odd";
  odd.retry = {60s, 60s, 60s, 60s};
  odd.then = 20h;
  known.all.push_back(odd);
  const FinishedFlow finished = ran(with_profile(shipped("kb"), odd), known);
  EXPECT_THAT(finished.ledgers.at(0).faults, IsEmpty());
  const auto accounts = ledger_accounts(*finished.flow, finished.account, profiles());
  ASSERT_EQ(accounts.size(), 1U);
  ASSERT_FALSE(accounts[0].faults.empty());
  EXPECT_THAT(accounts[0].faults[0], HasSubstr("says given_up at"));
  const auto verdicts = judge_ledgers(*finished.flow, accounts);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].kept);
}

TEST(LedgerAccount, OneMailThatIsTakenForTwoIsFound) {
  Scenario scenario = shipped("busy");
  scenario.server("partner")->pool[0].name = "mail.stranger.example";
  const FinishedFlow finished = ran(scenario);
  EXPECT_FALSE(finished.good());
  EXPECT_THAT(finished.ledgers.at(0).faults, testing::Contains("takes one mail for 2"));
}

TEST(LedgerAccount, TheTextHasTheTruthBeside) {
  const FinishedFlow finished = ran("kb", "postfix");
  const std::string text = ledgers_text(finished.ledgers, finished.flow->scenario(), profiles());
  EXPECT_THAT(text, HasSubstr("after 5 attempts (0:40:00): retrying"));
  EXPECT_THAT(text, HasSubstr("really Postfix 3\n"));
  EXPECT_THAT(text, HasSubstr("next attempt  1:20:00; really 1:20:00\n"));
  EXPECT_THAT(text, HasSubstr("gives up      5d 0:00:00; really 5d 0:00:00: exact, 0.00 retry"));
  EXPECT_THAT(text, HasSubstr("given_up from 5d "));
  EXPECT_EQ(error_text(90s), "0:01:30 late");
  EXPECT_EQ(error_text(-1h), "1:00:00 early");
  EXPECT_EQ(error_text(100ms), "exact");
}

// --- every mail server in every flow: outcomes, and the forecast after five attempts

class MatrixTest : public testing::TestWithParam<const char*> {};

TEST_P(MatrixTest, TheLedgerIsRightAboutEveryMailServer) {
  LedgerCheck check;
  for (const upstream::Profile& profile : profiles().all)
    check.add(GetParam(), ran(GetParam(), profile.name));
  EXPECT_TRUE(check.good()) << check.text();
}

INSTANTIATE_TEST_SUITE_P(All, MatrixTest,
                         testing::Values("kb", "recovers", "spam-tool", "two-mx", "pool", "busy",
                                         "dns-outage", "third-party", "escalation"),
                         [](const auto& one) {
                           std::string name(one.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace postern::lab
