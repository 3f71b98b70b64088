// Power fails at any moment of a workload; the restart finds what was promised.
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "queue/queue_fixture.h"
#include "queue/record.h"

namespace postern::queue {
namespace {

class CrashTest : public QueueTest {
 protected:
  static constexpr int messages = 12;

  struct Seen {
    bool acknowledged = false;
    bool completed = false;  ///< complete() said so
    bool reported = false;   ///< with a report
  };

  // Even ones are delivered, odd ones fail and cause a report; each third is large.
  io::Task<> send(int number) {
    std::string content = "message " + std::to_string(number);
    if (number % 3 == 0) content.append(200'000, '.');
    const auto id = co_await enqueue_steps({"a@x.example"}, std::move(content));
    if (!id) co_return;
    seen[number].acknowledged = true;
    numbers[id->value] = number;
  }
  io::Task<> deliver() {
    while (true) {
      std::optional<Lease> work = co_await queue->lease("x.example");
      if (!work) {
        co_await host.clock().sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      const int number = numbers.at(work->message().id.value);
      const bool fails = number % 2 == 1;
      std::optional<NewMessage> about;
      if (fails) about = report("report on " + std::to_string(number));
      const Result<> done = co_await queue->complete(
          std::move(*work),
          {outcome(0, fails ? RecipientState::failed : RecipientState::delivered)},
          std::move(about));
      if (!done) continue;
      seen[number].completed = true;
      seen[number].reported = fails;
    }
  }

  /// Content of all queued messages, each with how often it is there.
  std::map<std::string, int> everything() {
    std::map<std::string, int> out;
    for (const char* destination : {"x.example", "sender.example"}) {
      std::vector<Lease> held;
      while (auto work = lease(destination)) {
        const auto content = read(*work);
        EXPECT_TRUE(content) << content.error().what;
        if (content) ++out[content->substr(0, content->find('.'))];
        held.push_back(std::move(*work));
      }
    }
    return out;
  }

  void check(std::map<std::string, int> found) {
    for (int number = 0; number < messages; ++number) {
      const int copies = found[("message " + std::to_string(number))];
      const int reports = found["report on " + std::to_string(number)];
      const Seen& promise = seen[number];
      EXPECT_LE(copies, 1) << number;
      EXPECT_LE(reports, 1) << number;
      // Outcome, report and removal are one: never both, never neither.
      if (number % 2 == 1) EXPECT_LE(copies + reports, 1) << number;
      if (number % 2 == 0) EXPECT_EQ(reports, 0) << number;
      if (promise.acknowledged && !promise.completed) EXPECT_EQ(copies + reports, 1) << number;
      if (promise.reported) EXPECT_EQ(reports, 1) << number;
    }
  }

  std::map<int, Seen> seen;
  std::map<std::uint64_t, int> numbers;
};

TEST_F(CrashTest, AtAnyMomentNothingAcknowledgedIsLost) {
  int acknowledged = 0;
  int completed = 0;
  int mixed = 0;
  for (int step = 0; step < 160; ++step) {
    seen.clear();
    numbers.clear();
    for (int number = 0; number < messages; ++number) host.spawn("send", send(number));
    host.spawn("deliver", deliver());
    ASSERT_TRUE(sim.run_for(std::chrono::microseconds(step * 500)));
    for (const auto& [number, promise] : seen) {
      acknowledged += promise.acknowledged ? 1 : 0;
      completed += promise.completed ? 1 : 0;
      mixed += promise.acknowledged && !promise.completed ? 1 : 0;
    }
    crash(static_cast<std::size_t>(step % 3));
    start();
    ASSERT_NO_FATAL_FAILURE(check(everything()));
    ASSERT_FALSE(HasFailure()) << "crash after step " << step;
    EXPECT_EQ(queue->counts().damaged, 0U);
    for (const auto& summary : list()) ASSERT_TRUE(remove(summary.id));
  }
  // The moments were spread over the whole workload.
  EXPECT_GT(acknowledged, 100);
  EXPECT_GT(completed, 100);
  EXPECT_GT(mixed, 50);
  EXPECT_TRUE(log.troubles.empty()) << log.troubles[0];
}

TEST_F(CrashTest, AReportAndItsCauseAreOneCommit) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "message 1"));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  const std::uint64_t before = store.commits();
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::failed)}, report("report")));
  EXPECT_EQ(store.commits() - before, 1U);
  EXPECT_EQ(store.unsynced(), 0U);
  crash();
  start();
  EXPECT_EQ(everything(), (std::map<std::string, int>{{"report", 1}}));
}

// At any moment of each change by the administrator the message is in exactly one place, whole;
// what was acknowledged stands.
TEST_F(CrashTest, AnAdministratorsChangeIsDoneOrNot) {
  struct Change {
    Command command;
    bool dead_before = false;
    bool held_before = false;
  };
  const std::vector<Change> changes = {{.command = Command::hold},
                                       {.command = Command::remove},
                                       {.command = Command::release, .held_before = true},
                                       {.command = Command::retry, .dead_before = true},
                                       {.command = Command::remove, .dead_before = true}};
  const std::string content = "message" + std::string(200'000, '.');
  for (const Change& change : changes) {
    int done = 0;
    for (int step = 0; step < 24; ++step) {
      const MessageId id = *enqueue({"a@x.example"}, content);
      Walk walk;
      walk.ids = {id};
      if (change.held_before) ASSERT_TRUE(act(Command::hold, walk));
      if (change.dead_before) {
        auto work = lease("x.example");
        ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::dead)}));
        walk.box = Box::dead;
      }
      ASSERT_TRUE(sim.run_for(std::chrono::seconds(2)));  // synced
      Result<Acted> acted = our_failure(Cause::cancelled, "not ended");
      host.spawn("change", act_task(change.command, walk, &acted));
      ASSERT_TRUE(sim.run_for(std::chrono::microseconds(step * 500)));
      const bool acknowledged = acted.has_value();
      done += acknowledged ? 1 : 0;
      crash(static_cast<std::size_t>(step % 2));
      start();
      const bool queued = show(id) != nullptr;
      const bool dead = show(id, Box::dead) != nullptr;
      ASSERT_FALSE(queued && dead);
      if (change.command == Command::remove) {
        if (acknowledged) ASSERT_FALSE(queued || dead);
      } else {
        ASSERT_TRUE(queued || dead) << step;
      }
      if (queued) ASSERT_EQ(*export_content(id), content);
      if (dead) ASSERT_EQ(*export_content(id, Box::dead), content);
      if (acknowledged && change.command == Command::hold) ASSERT_TRUE(show(id)->held);
      if (acknowledged && change.command == Command::release) ASSERT_FALSE(show(id)->held);
      if (acknowledged && change.command == Command::retry) ASSERT_TRUE(queued);
      walk.box = dead ? Box::dead : Box::queue;
      ASSERT_TRUE(act(Command::remove, walk));
    }
    EXPECT_GT(done, 0);
    EXPECT_LT(done, 24);
  }
}

TEST_F(CrashTest, ALargeReportHasItsFile) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "message 1"));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::failed)},
                       report("report" + std::string(300'000, '.'))));
  crash();
  start();
  EXPECT_EQ(everything(), (std::map<std::string, int>{{"report", 1}}));
}

}  // namespace
}  // namespace postern::queue
