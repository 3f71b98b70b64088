#include "queue/administration.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/queue_fixture.h"
#include "queue/record.h"

namespace postern::queue {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

class AdministrationTest : public QueueTest {
 protected:
  bool has_file(MessageId id) {
    bool found = false;
    run(has_file_task(id, &found));
    return found;
  }
  io::Task<> has_file_task(MessageId id, bool* found) {
    const auto names = co_await host.world().disk.list("content");
    EXPECT_TRUE(names);
    if (names) *found = std::ranges::find(*names, id.text()) != names->end();
  }
  /// Fails for good while nobody may be told.
  MessageId dead_letter(const std::string& content) {
    const auto id = enqueue({"a@x.example", "b@x.example"}, content);
    EXPECT_TRUE(id);
    auto work = lease("x.example");
    EXPECT_TRUE(work);
    EXPECT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::dead),
                                            outcome(1, RecipientState::delivered)}));
    return *id;
  }
  static Walk of_dead() {
    Walk walk;
    walk.box = Box::dead;
    return walk;
  }
};

// --- hold and release

TEST_F(AdministrationTest, AHeldMessageRestsUntilItIsReleasedAlsoOverARestart) {
  const MessageId id = *enqueue({"a@x.example", "b@y.example"}, "content");
  EXPECT_EQ(act(Command::hold, id)->changed, 1U);
  crash();
  start();
  EXPECT_EQ(queue->counts().messages, 1U);
  EXPECT_EQ(queue->counts().held, 1U);
  EXPECT_FALSE(lease("x.example"));
  EXPECT_FALSE(lease("y.example"));
  EXPECT_EQ(queue->flush(), 0U);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_TRUE(list()[0].held);
  EXPECT_TRUE(show(id)->held);
  EXPECT_EQ(queue->retry(id).error().cause, Cause::refused);
  EXPECT_EQ(act(Command::retry, id)->unchanged.at(0).why, Left::held);
  EXPECT_EQ(act(Command::hold, id)->unchanged.at(0).why, Left::held);
  EXPECT_EQ(act(Command::release, id)->changed, 1U);
  EXPECT_EQ(act(Command::release, id)->unchanged.at(0).why, Left::not_held);
  EXPECT_EQ(queue->counts().held, 0U);
  EXPECT_FALSE(list()[0].held);
  auto x = lease("x.example");
  auto y = lease("y.example");
  ASSERT_TRUE(x && y);
  EXPECT_EQ(*read(*x), "content");
}

TEST_F(AdministrationTest, ReleaseMakesDueNowWhateverTheScheduleWas) {
  const MessageId id = *enqueue({"a@x.example"}, "content");
  auto work = lease("x.example");
  const WallTime later = host.clock().wall_now() + hours(5);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::waiting, later)}));
  ASSERT_TRUE(act(Command::hold, id));
  ASSERT_TRUE(act(Command::release, id));
  EXPECT_TRUE(lease("x.example"));
}

TEST_F(AdministrationTest, WhatIsBeingDeliveredIsLeftAlone) {
  const MessageId id = *enqueue({"a@x.example", "b@y.example"}, "content");
  auto work = lease("x.example");
  for (const Command command : {Command::hold, Command::remove}) {
    const auto acted = act(command, id);
    ASSERT_TRUE(acted);
    EXPECT_EQ(acted->changed, 0U);
    EXPECT_EQ(acted->unchanged.at(0).why, Left::in_delivery);
  }
  EXPECT_EQ(lease_all(id).error().cause, Cause::in_use);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  EXPECT_EQ(act(Command::hold, id)->changed, 1U);
}

// --- selection

struct Case {
  const char* reason;
  Selection selection;
  std::vector<int> chosen;
};

TEST_F(AdministrationTest, SelectsBySenderRecipientDestinationAgeAndHold) {
  std::vector<MessageId> all;
  all.push_back(*enqueue({"a@x.example", "b@y.example"}, "0"));
  all.push_back(*enqueue({"b@Y.example"}, "1"));
  ASSERT_TRUE(sim.run_for(hours(2)));
  all.push_back(*enqueue({"c@x.example"}, "2"));
  ASSERT_TRUE(act(Command::hold, all[2]));
  auto work = lease("y.example");
  ASSERT_TRUE(complete(std::move(*work), {outcome(1, RecipientState::delivered)}));
  const std::vector<Case> cases = {
      {"nothing given: all", {}, {0, 1, 2}},
      {"sender", {.sender = "Sender@EXAMPLE.com"}, {0, 1, 2}},
      {"domain of the sender", {.sender = "@example.com"}, {0, 1, 2}},
      {"not the sender", {.sender = "ender@example.com"}, {}},
      {"a domain's end is not the domain", {.sender = "@ple.com"}, {}},
      {"reports", {.sender = "<>"}, {}},
      {"recipient", {.recipient = "a@x.example"}, {0}},
      {"whoever has it already does not count", {.recipient = "@y.example"}, {1}},
      {"destination", {.destination = "X.example"}, {0, 2}},
      {"older", {.older_than = hours(1)}, {0, 1}},
      {"younger", {.younger_than = hours(1)}, {2}},
      {"held", {.held = true}, {2}},
      {"all that is given", {.destination = "x.example", .older_than = hours(1)}, {0}},
  };
  for (const Case& one : cases) {
    Walk walk;
    walk.selection = one.selection;
    std::vector<MessageId> expected;
    expected.reserve(one.chosen.size());
    for (const int index : one.chosen) expected.push_back(all[static_cast<std::size_t>(index)]);
    EXPECT_EQ(ids(walk), expected) << one.reason;
  }
}

TEST_F(AdministrationTest, IdsThatAreNotThereAreTold) {
  const MessageId id = *enqueue({"a@x.example"}, "content");
  Walk walk;
  walk.ids = {MessageId{1}, id};
  const auto acted = act(Command::hold, walk);
  ASSERT_TRUE(acted);
  EXPECT_EQ(acted->changed, 1U);
  EXPECT_THAT(acted->step.missing, ElementsAre(MessageId{1}));
}

TEST_F(AdministrationTest, AWalkGoesByBoundedStepsAndDoesNotMeetWhatArrivesLater) {
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(enqueue({"a@x.example"}, "content"));
  const MessageId other = *enqueue({"a@z.example"}, "content");
  Walk walk;
  walk.selection.destination = "x.example";
  walk.count = 60;
  std::uint64_t removed = 0;
  std::size_t steps = 0;
  bool more = true;
  while (more) {
    const auto acted = act(Command::remove, walk);
    ASSERT_TRUE(acted);
    ASSERT_LE(acted->changed, 60U);
    removed += acted->changed;
    walk.after = acted->step.last;
    walk.until = acted->step.until;
    more = acted->step.more;
    ASSERT_LT(++steps, 30U);
    ASSERT_TRUE(enqueue({"a@x.example"}, "while it goes on"));
  }
  EXPECT_EQ(removed, 450U);
  EXPECT_EQ(queue->counts().messages, 1 + steps);
  EXPECT_TRUE(show(other));
}

TEST_F(AdministrationTest, ManyAreChangedInOneCommit) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enqueue({"a@x.example"}, "content"));
  const std::uint64_t before = store.commits();
  Walk walk;
  walk.count = 500;
  EXPECT_EQ(act(Command::hold, walk)->changed, 100U);
  EXPECT_EQ(store.commits() - before, 1U);
  EXPECT_EQ(store.unsynced(), 0U);
}

// --- a store that fails

TEST_F(AdministrationTest, AfterAFailedCommitMemoryFollowsWhatTheStoreShows) {
  using Failure = MemoryStore::Failure;
  for (const Failure failure : {Failure::refused, Failure::disk_full, Failure::unknown}) {
    const MessageId id = *enqueue({"a@x.example"}, std::string(200'000, 'c'));
    const bool done = failure == Failure::unknown;
    store.fail_next(failure);
    EXPECT_FALSE(act(Command::hold, id));
    EXPECT_EQ(queue->counts().held, done ? 1U : 0U);
    EXPECT_EQ(show(id)->held, done);
    store.fail_next(failure);
    EXPECT_FALSE(act(Command::remove, id));
    EXPECT_EQ(queue->counts().messages, done ? 0U : 1U);
    ASSERT_TRUE(sim.run_for(std::chrono::seconds(5)));
    EXPECT_EQ(has_file(id), !done);
    EXPECT_EQ(lease("x.example").has_value(), !done);
    if (!done) EXPECT_EQ(act(Command::remove, id)->changed, 1U);
    ASSERT_TRUE(sim.run_for(std::chrono::seconds(5)));
    EXPECT_FALSE(has_file(id));
  }
}

TEST_F(AdministrationTest, ADeadLetterSurvivesAFailedCommit) {
  using Failure = MemoryStore::Failure;
  for (const Failure failure : {Failure::refused, Failure::unknown}) {
    const MessageId id = dead_letter("content");
    const bool done = failure == Failure::unknown;
    store.fail_next(failure);
    EXPECT_FALSE(act(Command::retry, id, Box::dead));
    EXPECT_EQ(queue->counts().dead_letters, done ? 0U : 1U);
    EXPECT_EQ(queue->counts().messages, done ? 1U : 0U);
    if (done) EXPECT_EQ(act(Command::remove, id)->changed, 1U);
    if (!done) EXPECT_EQ(act(Command::remove, id, Box::dead)->changed, 1U);
  }
}

// --- the whole message leased

TEST_F(AdministrationTest, AllOfAMessageIsGivenUpWithItsReportInOneCommit) {
  const MessageId id = *enqueue({"a@x.example", "b@y.example"}, "content");
  auto work = lease("x.example");
  const WallTime later = host.clock().wall_now() + hours(5);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::waiting, later)}));
  auto all = lease_all(id);
  ASSERT_TRUE(all) << all.error().what;
  EXPECT_THAT(all->recipients(), ElementsAre(0, 1));
  EXPECT_EQ(*read(*all), "content");
  EXPECT_FALSE(lease("y.example"));
  EXPECT_EQ(act(Command::remove, id)->unchanged.at(0).why, Left::in_delivery);
  const std::uint64_t before = store.commits();
  ASSERT_TRUE(complete(*std::move(all),
                       {outcome(0, RecipientState::failed), outcome(1, RecipientState::failed)},
                       report("removed")));
  EXPECT_EQ(store.commits() - before, 1U);
  crash();
  start();
  EXPECT_FALSE(show(id));
  auto told = lease("sender.example");
  ASSERT_TRUE(told);
  EXPECT_EQ(*read(*told), "removed");
  EXPECT_EQ(queue->counts().messages, 1U);
}

TEST_F(AdministrationTest, DroppedOrFailedTheWholeIsAsItWas) {
  const MessageId id = *enqueue({"a@x.example", "b@y.example"}, "content");
  {
    EXPECT_TRUE(lease_all(id));
  }
  EXPECT_EQ(queue->counts().leased, 0U);
  auto all = lease_all(id);
  ASSERT_TRUE(all);
  store.fail_next(MemoryStore::Failure::refused);
  EXPECT_FALSE(complete(*std::move(all), {outcome(0, RecipientState::failed)}, report("r")));
  EXPECT_TRUE(lease("x.example"));
  ASSERT_TRUE(act(Command::hold, id));
  {
    EXPECT_TRUE(lease_all(id));
  }
  EXPECT_EQ(queue->counts().held, 1U);
  EXPECT_FALSE(lease("x.example"));
  auto held = lease_all(id);
  ASSERT_TRUE(held);
  // One of two: the message stays, and stays held.
  ASSERT_TRUE(complete(*std::move(held), {outcome(0, RecipientState::failed)}, report("r")));
  EXPECT_EQ(queue->counts().held, 1U);
  EXPECT_FALSE(lease("y.example"));
  EXPECT_EQ(act(Command::release, id)->changed, 1U);
  EXPECT_TRUE(lease("y.example"));
}

// --- dead letters

TEST_F(AdministrationTest, AFailureThatNobodyMayHearOfIsKeptAndShown) {
  const MessageId id = dead_letter("content");
  EXPECT_THAT(log.troubles,
              ElementsAre(testing::AllOf(testing::HasSubstr("dead-letter-kept id=" + id.text()),
                                         testing::HasSubstr("recipient=a@x.example"))));
  log.troubles.clear();
  EXPECT_THAT(ids(), IsEmpty());
  EXPECT_FALSE(show(id));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(queue->counts().messages, 0U);
    EXPECT_EQ(queue->counts().dead_letters, 1U);
    const auto listed = list(of_dead());
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].id, id);
    EXPECT_EQ(listed[0].recipients_waiting, 1U);
    EXPECT_GT(listed[0].last_attempt, WallTime());
    EXPECT_EQ(show(id, Box::dead)->recipients[0].last_reply, "450 later");
    EXPECT_EQ(*export_content(id, Box::dead), "content");
    restart();
  }
  Walk by_recipient = of_dead();
  by_recipient.selection.recipient = "a@x.example";
  EXPECT_THAT(ids(by_recipient), ElementsAre(id));
  by_recipient.selection.recipient = "b@x.example";  // has it
  EXPECT_THAT(ids(by_recipient), IsEmpty());
}

TEST_F(AdministrationTest, OneThatWaitsKeepsTheMessageQueued) {
  const MessageId id = *enqueue({"a@x.example", "b@x.example"}, "content");
  auto work = lease("x.example");
  ASSERT_TRUE(complete(std::move(*work),
                       {outcome(0, RecipientState::dead), outcome(1, RecipientState::waiting)}));
  EXPECT_EQ(queue->counts().dead_letters, 0U);
  work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_THAT(work->recipients(), ElementsAre(1));
  ASSERT_TRUE(complete(std::move(*work), {outcome(1, RecipientState::delivered)}));
  EXPECT_EQ(queue->counts().dead_letters, 1U);
  EXPECT_EQ(show(id, Box::dead)->recipients[0].state, RecipientState::dead);
}

TEST_F(AdministrationTest, ADeadLetterIsTakenUpAgainWithANewLifetime) {
  const std::string large(300'000, 'c');
  const MessageId id = dead_letter(large);
  ASSERT_TRUE(sim.run_for(hours(24)));
  crash();
  start();
  EXPECT_TRUE(has_file(id)) << "content of dead letters is no orphan";
  EXPECT_EQ(*export_content(id, Box::dead), large);
  EXPECT_EQ(act(Command::retry, id, Box::dead)->changed, 1U);
  EXPECT_EQ(queue->counts().dead_letters, 0U);
  crash();
  start();
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_THAT(work->recipients(), ElementsAre(0));
  EXPECT_EQ(work->message().recipients[0].attempts, 0U);
  EXPECT_GE(work->message().lifetime_from - work->message().provenance.arrived, hours(24));
  EXPECT_EQ(*read(*work), large);
  EXPECT_THAT(act(Command::retry, id, Box::dead)->step.missing, ElementsAre(id));
}

TEST_F(AdministrationTest, ARemovedDeadLetterLeavesNothing) {
  const MessageId id = dead_letter(std::string(300'000, 'c'));
  const MessageId small = dead_letter("content");
  EXPECT_EQ(act(Command::remove, of_dead())->changed, 2U);
  ASSERT_TRUE(sim.run_for(std::chrono::seconds(5)));
  EXPECT_FALSE(has_file(id));
  EXPECT_FALSE(store.entries().contains(content_key(small)));
  EXPECT_THAT(ids(of_dead()), IsEmpty());
  EXPECT_EQ(queue->counts().dead_letters, 0U);
  EXPECT_EQ(act(Command::hold, of_dead()).error().cause, Cause::refused);
}

TEST_F(AdministrationTest, ContentOfAQueuedMessageComesInParts) {
  const std::string large(3 * content_part_bytes_max / 2, 'c');
  EXPECT_EQ(*export_content(*enqueue({"a@x.example"}, large)), large);
  EXPECT_EQ(*export_content(*enqueue({"a@x.example"}, "small")), "small");
  EXPECT_EQ(export_content(MessageId{5}).error().cause, Cause::not_found);
}

}  // namespace
}  // namespace postern::queue
