// The checkers can fail: each is shown what it must find.
#include "checkers.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

#include "run.h"

namespace postern::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A disk that says "synced" and has not: a power failure takes everything.
class LyingStore final : public queue::Store {
 public:
  explicit LyingStore(queue::MemoryStore& memory) : memory_(memory) {}
  Result<> commit(const queue::Batch& batch, Sync) override {
    return memory_.commit(batch, Sync::later);
  }
  Result<std::string> get(std::string_view key) override { return memory_.get(key); }
  Result<> scan(std::string_view prefix, std::string_view from,
                const std::function<bool(std::string_view, std::string_view)>& entry,
                const std::function<void(std::string)>& damaged) override {
    return memory_.scan(prefix, from, entry, damaged);
  }

 private:
  queue::MemoryStore& memory_;
};

std::unique_ptr<queue::Store> lying(queue::MemoryStore& memory) {
  return std::make_unique<LyingStore>(memory);
}

TEST(CheckersTest, FindWhatALyingDiskLoses) {
  std::size_t losses = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Plan plan = plan_of(seed);
    plan.crashes = true;
    plan.power_failures = true;
    plan.flaky_next_hops = true;  // so that mail waits in the queue
    losses += lost(run(plan, {.make_store = lying})).size();
  }
  EXPECT_GT(losses, 0U);
}

// Only clients that are let in later recover: those that the DNS's failures kept out.
TEST(CheckersTest, HaveRecoveriesInTheLedgerToJudge) {
  std::size_t recovered = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Plan plan = plan_of(seed);
    plan.dns_failures = true;
    plan.crashes = false;
    plan.kill_events = 0;
    const History history = run(plan);
    recovered +=
        static_cast<std::size_t>(std::ranges::count_if(history.deferrals, &Deferral::recovered));
  }
  EXPECT_GT(recovered, 10U);
}

/// Runs a seed of a kind that has some of everything, once; each test gets a copy to spoil.
template <std::uint64_t seed>
class HistoryOf : public testing::Test {
 protected:
  static void SetUpTestSuite() { original = new History(run(plan())); }
  static void TearDownTestSuite() {
    delete original;
    original = nullptr;
  }
  static Plan plan() {
    Plan plan = plan_of(seed);
    plan.mails = 60;
    plan.silent_clients = 2;
    plan.dsn_asked = true;
    plan.dsn_offered = true;
    plan.greylisting = true;
    plan.recipients_max = 0;
    plan.refuse_with = policy::Action::reply_450;
    return plan;
  }
  History history = *original;

  /// The first recipient that was taken and for which `wanted` holds.
  SentRecipient& recipient(bool (*wanted)(const Mail&, const SentRecipient&)) {
    for (auto& [token, mail] : history.mails)
      for (SentRecipient& sent : mail.recipients)
        if (sent.fate == Fate::acknowledged && wanted(mail, sent)) return sent;
    ADD_FAILURE() << "the seed has no such recipient";
    return history.mails.begin()->second.recipients.front();
  }
  Report& report(std::string_view action) {
    for (Report& report : history.reports)
      if (report.recipients.size() == 1 && report.recipients.front().action == action)
        return report;
    ADD_FAILURE() << "the seed has no report with one recipient " << action;
    return history.reports.front();
  }

 private:
  static inline History* original = nullptr;
};

using CalmHistory = HistoryOf<0>;

bool arrives(const Mail& mail, const SentRecipient& sent) {
  return !mail.unwanted && !is_gone(sent.address);
}

TEST_F(CalmHistory, HasNothingWrongAndSomeOfEverything) {
  EXPECT_THAT(everything_wrong_with(history), IsEmpty());
  EXPECT_FALSE(history.faults);
  EXPECT_GT(history.arrivals.size(), 5U);
  EXPECT_GT(history.reports.size(), 0U);
  EXPECT_GT(history.permanent_replies.size(), 0U);
  EXPECT_GT(history.silent_sessions.size(), 0U);
}

TEST_F(CalmHistory, AMissingArrivalIsALoss) {
  const std::string address = recipient(arrives).address;
  std::erase_if(history.arrivals, [&](const Arrival& a) { return a.recipient == address; });
  EXPECT_THAT(lost(history), Contains(HasSubstr("lost: ")));
}

TEST_F(CalmHistory, AMissingReportIsALoss) {
  history.reports.clear();
  EXPECT_THAT(lost(history), Contains(HasSubstr("no report came")));
  EXPECT_THAT(dsn_neglected(history), Contains(HasSubstr("nobody tells of the success")));
}

TEST_F(CalmHistory, WhatNobodyMayBeToldOfMustBeADeadLetter) {
  const auto letter = std::ranges::find_if(history.dead_letters, [&](const DeadLetter& one) {
    return history.mail_of(one.recipient)->reverse_path.empty();
  });
  ASSERT_NE(letter, history.dead_letters.end()) << "of a mail with the null reverse path";
  const auto end = std::ranges::find_if(history.outcomes, [&](const Outcome& outcome) {
    return outcome.kind == Outcome::Kind::dead && outcome.recipient == letter->recipient;
  });
  ASSERT_NE(end, history.outcomes.end());
  end->kind = Outcome::Kind::bounced;
  EXPECT_THAT(dropped(history), Contains(HasSubstr("nobody hears of it")));
  end->kind = Outcome::Kind::delivered;
  EXPECT_THAT(dropped(history), Contains(HasSubstr("although it did not fail")));
  // Unless the administrator wanted another attempt and a crash took that back; if it was not
  // confirmed to him.
  history.crashes = {end->at + std::chrono::seconds(1)};
  EXPECT_THAT(dropped(history), Contains(HasSubstr("although it did not fail")));
  history.taken_up_in_doubt = {end->id};
  EXPECT_THAT(dropped(history), IsEmpty());
  history.crashes.clear();
  EXPECT_THAT(dropped(history), Contains(HasSubstr("although it did not fail")));
  end->kind = Outcome::Kind::dead;
  EXPECT_THAT(dropped(history), IsEmpty());
  letter->token = "another";
  EXPECT_THAT(dropped(history), Contains(HasSubstr("has another's content")));
  history.dead_letters.erase(letter);
  EXPECT_THAT(dropped(history), Contains(HasSubstr("is not among the dead letters")));
  EXPECT_THAT(lost(history), Contains(HasSubstr("from <>")));
  history.crashes = {end->at + std::chrono::seconds(1)};
  EXPECT_THAT(dropped(history), Contains(HasSubstr("is not among the dead letters")));
  history.accepted_ids.erase(end->id);
  EXPECT_THAT(dropped(history), IsEmpty()) << "its client has it";
}

TEST_F(CalmHistory, AReportThatFailedMustBeADeadLetter) {
  const auto letter = std::ranges::find_if(history.dead_letters, [](const DeadLetter& one) {
    return !one.reported.empty() && one.reported.front().action == "failed";
  });
  ASSERT_NE(letter, history.dead_letters.end());
  letter->reported.clear();
  EXPECT_THAT(dropped(history), Contains(HasSubstr("is not the report that it was")));
  EXPECT_THAT(lost(history), Contains(HasSubstr("no report came")));
  letter->reverse_path = "somebody@sender.example";
  EXPECT_THAT(dropped(history), Contains(HasSubstr("has a sender")));
}

TEST_F(CalmHistory, ASecondCopyIsARepetition) {
  history.arrivals.push_back(history.arrivals.front());
  EXPECT_THAT(repeated(history), Contains(HasSubstr("came 2 times, at most 1")));
}

TEST_F(CalmHistory, OnlyACrashBeforeTheSyncExcusesASecondCopy) {
  const Arrival first = history.arrivals.front();
  history.arrivals.push_back(first);
  history.crashes = {first.at + std::chrono::hours(1)};
  EXPECT_THAT(repeated(history), Contains(HasSubstr("came 2 times, at most 1")));
  history.crashes = {first.at};
  EXPECT_THAT(repeated(history), IsEmpty());
  history.crashes.clear();
  history.arrivals.front().read = SteadyTime::max();
  EXPECT_THAT(repeated(history), IsEmpty());
}

TEST_F(CalmHistory, AnotherMessagesOutcomeExcusesNoCopy) {
  const Arrival& first = history.arrivals.front();
  const auto own = std::ranges::find_if(history.outcomes, [&](const Outcome& o) {
    return o.recipient == first.recipient && o.id == first.id && o.at >= first.at;
  });
  ASSERT_NE(own, history.outcomes.end()) << "the trace header tells the id";
  // The crash came after the copy and before its own outcome, though not before another's.
  Outcome another = *own;
  another.id = "another";
  another.at = first.at;
  own->at += std::chrono::hours(1);
  history.outcomes.insert(history.outcomes.begin(), another);
  history.crashes = {first.at + std::chrono::minutes(30)};
  history.arrivals.push_back(Arrival(history.arrivals.front()));
  EXPECT_THAT(repeated(history), IsEmpty());
}

TEST_F(CalmHistory, AnOutcomeThatCouldNotBeWrittenExcusesNothingWithoutACrash) {
  const Arrival first = history.arrivals.front();
  history.arrivals.push_back(first);
  const auto outcome = std::ranges::find_if(history.outcomes, [&](const Outcome& o) {
    return o.recipient == first.recipient && o.at >= first.at;
  });
  ASSERT_NE(outcome, history.outcomes.end());
  const std::pair share(outcome->id, outcome->destination);
  const SteadyTime missed = outcome->at;
  history.outcomes_unrecorded.emplace(share, missed);
  EXPECT_THAT(repeated(history), Contains(HasSubstr("came 2 times, at most 1")));
  const SteadyTime crash = missed + std::chrono::hours(2);
  history.crashes = {crash};
  EXPECT_THAT(repeated(history), IsEmpty());
  history.outcomes_recorded.emplace(share, crash - std::chrono::hours(1));
  EXPECT_THAT(repeated(history), Contains(HasSubstr("came 2 times, at most 1")));
}

TEST_F(CalmHistory, ASecondReportIsARepetition) {
  history.reports.push_back(history.reports.front());
  EXPECT_THAT(repeated(history), Contains(HasSubstr("the report on")));
}

TEST_F(CalmHistory, AReportThatMustNotBeIsFound) {
  Report& failed = report("failed");
  Mail& mail = history.mails.at(failed.token);
  SentRecipient& sent = *std::ranges::find(
      mail.recipients, failed.recipients.front().final_recipient, &SentRecipient::address);
  sent.fate = Fate::refused;
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("never taken")));
  sent.fate = Fate::acknowledged;
  sent.notify = {.specified = true, .never = true};
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("nobody asked to hear failed")));
  sent.notify = {.specified = true, .success = true};
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("nobody asked to hear failed")));
  failed.recipients.front().final_recipient = "r9@one.example";
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("somebody else")));
  mail.reverse_path.clear();
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("null reverse path")));
}

TEST_F(CalmHistory, AReportThatSaysWhatIsNotSoIsFound) {
  Report& failed = report("failed");
  failed.envelope_id = "another";
  failed.recipients.front().original_recipient = "other@old.example";
  failed.recipients.front().status = "2.0.0";
  const Findings wrong = reported_wrongly(history);
  EXPECT_THAT(wrong, Contains(HasSubstr("names the envelope <another>")));
  EXPECT_THAT(wrong, Contains(HasSubstr("names the original recipient <other@old.example>")));
  EXPECT_THAT(wrong, Contains(HasSubstr("says failed with the status 2.0.0")));
  Report& relayed = report("relayed");
  relayed.recipients.front().action = "delivered";
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("says delivered for")));
}

TEST_F(CalmHistory, AFailureThatNobodyCausedIsFound) {
  Report& failed = report("failed");
  const SentRecipient& sent = recipient(arrives);
  const Mail& mail = *history.mail_of(sent.address);
  failed.to = mail.reverse_path;
  failed.token = mail.token;
  failed.recipients.front().final_recipient = sent.address;
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("nobody refused it")));
}

TEST_F(CalmHistory, ADelayToldTooEarlyOrTwiceIsFound) {
  history.promises.delay_notice = std::chrono::hours(4);
  Report& told = report("failed");
  told.recipients.front().action = "delayed";
  told.recipients.front().status = "4.4.1";
  Findings wrong = reported_wrongly(history);
  EXPECT_THAT(wrong, Contains(HasSubstr("told too early of a delay")));
  EXPECT_THAT(wrong, Contains(HasSubstr("until when")));
  told.at += std::chrono::hours(5);
  told.recipients.front().says_until_when = true;
  wrong = reported_wrongly(history);
  EXPECT_THAT(wrong, Not(Contains(HasSubstr("told too early"))));
  history.reports.push_back(told);
  EXPECT_THAT(repeated(history), Contains(HasSubstr("delayed came 2 times")));
}

TEST_F(CalmHistory, ADelayThatIsNotToldIsFound) {
  history.promises.delay_notice = std::chrono::seconds(1);
  history.promises.retry = {std::chrono::seconds(1)};
  const SentRecipient& sent = recipient([](const Mail& mail, const SentRecipient& to) {
    return !mail.reverse_path.empty() && (!to.notify.specified || to.notify.delay);
  });
  for (Outcome& outcome : history.outcomes)
    if (outcome.recipient == sent.address) outcome.at += std::chrono::hours(1);
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("was not told")));
}

TEST_F(CalmHistory, DsnThatIsNotPassedOnIsFound) {
  const auto passed = std::ranges::find_if(history.arrivals, [](const Arrival& arrival) {
    return arrival.dsn.offered && arrival.dsn.notify.contains("SUCCESS");
  });
  ASSERT_NE(passed, history.arrivals.end());
  passed->dsn.notify = "FAILURE";
  passed->dsn.envelope_id = "another";
  passed->dsn.original_recipient = "rfc822;other@old.example";
  passed->dsn.dsn_return = "SOME";
  EXPECT_EQ(dsn_neglected(history).size(), 4U);
}

TEST_F(CalmHistory, RelayingAndRefusedClientsAreFound) {
  Arrival& arrival = history.arrivals.front();
  history.mails.at(arrival.token).client = ClientKind::nameless;
  EXPECT_THAT(admitted_wrongly(history), Contains(HasSubstr("was to be refused")));
  arrival.recipient = "r0@elsewhere.example";
  EXPECT_THAT(admitted_wrongly(history), Contains(HasSubstr("not ours")));
  history.permanent_replies.push_back(
      {ClientKind::flaky, arrival.token, "r0@one.example", "550 5.7.25 no"});
  EXPECT_THAT(admitted_wrongly(history), Contains(HasSubstr("without a reason")));
}

TEST_F(CalmHistory, APauseThatIsTooShortOrTooLongIsFound) {
  const std::string address = recipient(arrives).address;
  std::erase_if(history.attempts, [&](const Attempt& a) { return a.recipient == address; });
  const SteadyTime at{std::chrono::hours(10)};
  history.attempts.push_back({address, "mx.one.example", at, 450, true});
  history.attempts.push_back({address, "mx.one.example", at + std::chrono::seconds(1), 250, true});
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("came 1s after the one before")));
  history.attempts.back().at = at + std::chrono::hours(3);
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("came only 3h after")));
}

TEST_F(CalmHistory, GivingUpTooEarlyOrTooLateIsFound) {
  const SentRecipient& sent = recipient(arrives);
  const auto outcome = std::ranges::find(history.outcomes, sent.address, &Outcome::recipient);
  ASSERT_NE(outcome, history.outcomes.end());
  outcome->kind = Outcome::Kind::bounced;
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("was given up for")));
  outcome->at += std::chrono::hours(24 * 30);
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("was still tried for")));
}

TEST_F(CalmHistory, ANextHopThatIsBackAndForgottenIsFound) {
  const SentRecipient& sent = recipient([](const Mail& mail, const SentRecipient& to) {
    return arrives(mail, to) && to.address.ends_with("@one.example");
  });
  history.outages["mx.one.example"] = {
      {.begin = sent.acknowledged, .end = sent.acknowledged + std::chrono::seconds(1)}};
  EXPECT_THAT(ill_timed(history), IsEmpty());
  std::erase_if(history.attempts, [&](const Attempt& a) { return a.recipient == sent.address; });
  for (Outcome& outcome : history.outcomes)
    if (outcome.recipient == sent.address) outcome.at += std::chrono::hours(24);
  EXPECT_THAT(ill_timed(history), Contains(HasSubstr("nobody came within")));
}

TEST_F(CalmHistory, WhatTheLedgerForgetsOrInventsIsFound) {
  ASSERT_FALSE(history.deferrals.empty());
  const Deferral kept = history.deferrals.back();
  history.deferrals.pop_back();
  EXPECT_THAT(misrecorded(history), Contains(HasSubstr("nothing, although it was refused")));
  history.crashes = {SteadyTime::max()};
  history.deferrals.clear();
  EXPECT_THAT(misrecorded(history), IsEmpty()) << "a crash empties it";
  history.deferrals = {kept};
  EXPECT_THAT(misrecorded(history), Contains(HasSubstr("only 0 were made")));
  history.deferrals = {{kept.sender, "nobody@one.example", 1, false}};
  EXPECT_THAT(misrecorded(history), Contains(HasSubstr("nobody sent it")));
}

TEST_F(CalmHistory, AWrongOutcomeInTheLedgerIsFound) {
  ASSERT_FALSE(history.deferrals.empty());
  Deferral& kept = history.deferrals.front();
  kept.recovered = true;
  EXPECT_THAT(misrecorded(history), Contains(HasSubstr("recovered, and it was not taken")));
  SentRecipient& sent =
      *std::ranges::find(history.mails.at(history.tokens.at(kept.recipient)).recipients,
                         kept.recipient, &SentRecipient::address);
  sent.fate = Fate::acknowledged;
  sent.acknowledged = sent.deferred.back() + std::chrono::minutes(1);
  EXPECT_THAT(misrecorded(history), IsEmpty());
  kept.recovered = false;
  EXPECT_THAT(misrecorded(history), Contains(HasSubstr("not recovered, although")));
}

TEST_F(CalmHistory, LimitsAndLeftoversAreFound) {
  history.connections_most["mx.one.example"] = history.promises.connections_max + 1;
  EXPECT_THAT(exceeded(history), Contains(HasSubstr("are the limit")));
  history.silent_sessions.push_back(std::chrono::hours(1));
  EXPECT_THAT(exceeded(history), Contains(HasSubstr("silent client's session lasted 1h")));
  history.leases_left = 1;
  history.messages_left = 1;
  history.connections_left = 1;
  EXPECT_EQ(left_over(history).size(), 3U);
}

}  // namespace
}  // namespace postern::sim
