// The checkers can fail: each is shown what it must find.
#include "checkers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

#include "run.h"

namespace postern::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

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
    losses += lost(run(plan, lying)).size();
  }
  EXPECT_GT(losses, 0U);
}

class CalmHistory : public testing::Test {
 protected:
  static void SetUpTestSuite() { calm = new History(run(plan_of(0))); }
  static void TearDownTestSuite() {
    delete calm;
    calm = nullptr;
  }
  History history = *calm;

 private:
  static History* calm;
};
History* CalmHistory::calm = nullptr;

TEST_F(CalmHistory, HasNothingWrongAndSomeOfEverything) {
  EXPECT_THAT(everything_wrong_with(history), IsEmpty());
  EXPECT_FALSE(history.faults);
  EXPECT_GT(history.arrivals.size(), 5U);
  EXPECT_GT(history.reports.size(), 0U);
  EXPECT_GT(history.permanent_replies.size(), 0U);
}

TEST_F(CalmHistory, AMissingArrivalIsALoss) {
  history.arrivals.pop_back();
  EXPECT_THAT(lost(history), Contains(HasSubstr("lost: ")));
}

TEST_F(CalmHistory, AMissingReportIsALoss) {
  history.reports.clear();
  EXPECT_THAT(lost(history), Contains(HasSubstr("no report came")));
}

TEST_F(CalmHistory, ASecondCopyIsARepetition) {
  history.arrivals.push_back(history.arrivals.front());
  EXPECT_THAT(repeated(history), Contains(HasSubstr("came 2 times, at most 1")));
}

TEST_F(CalmHistory, ASecondReportIsARepetition) {
  history.reports.push_back(history.reports.front());
  EXPECT_THAT(repeated(history), Contains(HasSubstr("the report on")));
}

TEST_F(CalmHistory, AReportThatMustNotBeIsFound) {
  Mail& mail = history.mails.at(history.reports.front().token);
  mail.reverse_path.clear();
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("null reverse path")));
  for (SentRecipient& recipient : mail.recipients) recipient.fate = Fate::refused;
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("never taken")));
  history.reports.front().final_recipients = {"r9@one.example"};
  EXPECT_THAT(reported_wrongly(history), Contains(HasSubstr("somebody else")));
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

TEST_F(CalmHistory, LimitsAndLeftoversAreFound) {
  history.connections_most["mx.one.example"] = history.connections_max + 1;
  EXPECT_THAT(exceeded(history), Contains(HasSubstr("are the limit")));
  history.leases_left = 1;
  history.messages_left = 1;
  history.connections_left = 1;
  EXPECT_EQ(left_over(history).size(), 3U);
}

}  // namespace
}  // namespace postern::sim
