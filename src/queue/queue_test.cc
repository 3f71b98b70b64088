#include "queue/queue.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

#include "queue/queue_fixture.h"
#include "queue/record.h"
#include "support/source_path.h"

namespace postern::queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST_F(QueueTest, TakesLeasesReadsAndForgets) {
  const auto id = enqueue({"a@Example.ORG"}, "Subject: x\r\n\r\nhello\r\n");
  ASSERT_TRUE(id) << id.error().what;
  ASSERT_TRUE(sim.run_for(milliseconds(1)));
  EXPECT_EQ(told, std::vector<std::string>{"example.org"});
  EXPECT_EQ(queue->due_destinations(), std::vector<std::string>{"example.org"});
  auto work = lease("example.org");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *id);
  EXPECT_EQ(work->recipients(), std::vector<std::uint32_t>{0});
  EXPECT_EQ(*read(*work), "Subject: x\r\n\r\nhello\r\n");
  EXPECT_FALSE(lease("example.org"));  // exclusive
  EXPECT_EQ(queue->counts().leased, 1U);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  EXPECT_EQ(queue->counts().messages, 0U);
  EXPECT_FALSE(lease("example.org"));
  EXPECT_EQ(store.entries().size(), 2U);  // the last id
  EXPECT_TRUE(log.troubles.empty());
}

TEST_F(QueueTest, ManyWaitersShareFewCommits) {
  std::vector<Result<MessageId>> results(200);
  const std::uint64_t before = store.syncs();
  for (auto& result : results) host.spawn("enqueue", enqueue_task({"a@x.example"}, "m", &result));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  std::set<MessageId> ids;
  for (const auto& result : results) {
    ASSERT_TRUE(result);
    ids.insert(*result);
  }
  EXPECT_EQ(ids.size(), 200U);
  EXPECT_LE(store.syncs() - before, 3U);
}

TEST_F(QueueTest, AGroupIsBoundedInBytes) {
  options.commit_batch_bytes_max = 100'000;
  restart();
  std::vector<Result<MessageId>> results(20);
  const std::uint64_t before = store.syncs();
  for (auto& result : results)
    host.spawn("enqueue", enqueue_task({"a@x.example"}, std::string(30'000, 'c'), &result));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  for (const auto& result : results) ASSERT_TRUE(result);
  EXPECT_GE(store.syncs() - before, 7U);
  EXPECT_LE(store.syncs() - before, 9U);
}

TEST_F(QueueTest, AFailedCommitFailsItsMembersAndTakesNothing) {
  for (const auto failure : {MemoryStore::Failure::refused, MemoryStore::Failure::sync_error,
                             MemoryStore::Failure::unknown}) {
    store.fail_next(failure);
    const auto refused = enqueue({"a@x.example"}, "lost");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().persistence, Persistence::temporary);
    EXPECT_EQ(refused.error().blame, Blame::us);
    EXPECT_EQ(queue->counts().messages, 0U);
    const auto kept = enqueue({"b@x.example"}, "kept");
    ASSERT_TRUE(kept);
    crash();
    start();
    // What the failed sync may have written did not come back: its sender was told to try again.
    const auto listed = list();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].id, *kept);
    ASSERT_TRUE(remove(*kept));
  }
}

TEST_F(QueueTest, EachDestinationHasItsOwnLeaseAndOutcomesMerge) {
  const auto id = enqueue({"a@x.example", "b@y.example", "c@X.example"}, "m");
  ASSERT_TRUE(id);
  auto x = lease("x.example");
  auto y = lease("y.example");
  ASSERT_TRUE(x && y);
  EXPECT_EQ(x->recipients(), (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(y->recipients(), std::vector<std::uint32_t>{1});
  const WallTime later = host.clock().wall_now() + minutes(5);
  // Both at once: neither outcome may be lost.
  Result<> first;
  Result<> second;
  host.spawn("x", complete_task(std::move(*x),
                                {outcome(0, RecipientState::delivered),
                                 outcome(2, RecipientState::waiting, later)},
                                std::nullopt, &first));
  host.spawn("y", complete_task(std::move(*y), {outcome(1, RecipientState::failed)}, std::nullopt,
                                &second));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  ASSERT_TRUE(first && second);
  restart();
  const auto message = show(*id);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->recipients[0].state, RecipientState::delivered);
  EXPECT_EQ(message->recipients[1].state, RecipientState::failed);
  EXPECT_EQ(message->recipients[2].state, RecipientState::waiting);
  EXPECT_EQ(message->recipients[2].attempts, 1U);
  EXPECT_EQ(message->recipients[2].last_reply, "450 later");
  EXPECT_FALSE(lease("x.example"));
  ASSERT_TRUE(sim.run_for(minutes(5)));
  auto again = lease("x.example");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->recipients(), std::vector<std::uint32_t>{2});
}

TEST_F(QueueTest, WorkIsDueInOrderAndAtItsTime) {
  const auto first = enqueue({"a@x.example"}, "1");
  const auto second = enqueue({"a@x.example"}, "2");
  ASSERT_TRUE(first && second);
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *first);
  const WallTime due = host.clock().wall_now() + minutes(10);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::waiting, due)}));
  work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *second);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  told.clear();
  ASSERT_TRUE(sim.run_for(minutes(10) - seconds(1)));
  EXPECT_TRUE(told.empty());
  EXPECT_FALSE(lease("x.example"));
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(told, std::vector<std::string>{"x.example"});
  work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *first);
}

TEST_F(QueueTest, ADroppedLeaseIsDueAgainAtOnce) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "m"));
  ASSERT_TRUE(sim.run_for(milliseconds(1)));
  {
    const auto work = lease("x.example");
    ASSERT_TRUE(work);
    told.clear();
  }
  ASSERT_TRUE(sim.run_for(milliseconds(1)));
  EXPECT_EQ(told, std::vector<std::string>{"x.example"});
  EXPECT_TRUE(lease("x.example"));
}

TEST_F(QueueTest, AnOutcomeThatCouldNotBeWrittenIsWrittenLaterAndNotAttemptedAgain) {
  const auto id = enqueue({"a@x.example", "b@x.example"}, "m");
  ASSERT_TRUE(id);
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  store.fail_next(MemoryStore::Failure::refused);
  EXPECT_FALSE(complete(std::move(*work),
                        {outcome(0, RecipientState::delivered), outcome(1, RecipientState::failed)},
                        report("r")));
  EXPECT_EQ(queue->counts().messages, 1U);
  EXPECT_FALSE(lease("x.example"));
  // The store goes on failing: nobody gets the share, and nothing is forgotten.
  for (int failures = 0; failures < 3; ++failures) {
    ASSERT_TRUE(sim.run_for(minutes(1)));
    store.fail_next(MemoryStore::Failure::refused);
    EXPECT_FALSE(lease("x.example"));
    const auto removed = remove(*id);
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().cause, Cause::in_use);
  }
  ASSERT_TRUE(sim.run_for(minutes(1)));
  EXPECT_FALSE(lease("x.example"));
  const auto about = lease("sender.example");
  ASSERT_TRUE(about);
  EXPECT_EQ(read(*about), "r");
  EXPECT_EQ(queue->counts().messages, 1U) << "the report alone";
}

TEST_F(QueueTest, AnOutcomeThatCouldNotBeWrittenEndsWithACrash) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "m"));
  auto work = lease("x.example");
  store.fail_next(MemoryStore::Failure::refused);
  EXPECT_FALSE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  crash();
  start();
  EXPECT_TRUE(lease("x.example")) << "nothing says that it was delivered";
}

TEST_F(QueueTest, ADelayOfAnAttemptThatCouldNotBeWrittenIsKeptToo) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "m"));
  auto work = lease("x.example");
  store.fail_next(MemoryStore::Failure::refused);
  const WallTime later = host.clock().wall_now() + std::chrono::hours(1);
  EXPECT_FALSE(complete(std::move(*work), {outcome(0, RecipientState::waiting, later)}));
  ASSERT_TRUE(sim.run_for(minutes(30)));
  EXPECT_FALSE(lease("x.example")) << "the next hop asked for an hour";
  ASSERT_TRUE(sim.run_for(minutes(31)));
  work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().recipients[0].attempts, 1U);
}

TEST_F(QueueTest, AnOutcomeThatWasWrittenStandsThoughAnErrorWasReported) {
  for (const auto failure : {MemoryStore::Failure::sync_error, MemoryStore::Failure::unknown}) {
    ASSERT_TRUE(enqueue({"a@x.example"}, "m"));
    auto work = lease("x.example");
    ASSERT_TRUE(work);
    store.fail_next(failure);
    // The removal is written too: taking back the report alone would lose both.
    EXPECT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::failed)}, report("report")));
    ASSERT_TRUE(enqueue({"b@y.example"}, "the next commit"));
    crash();
    start();
    EXPECT_FALSE(lease("x.example"));
    const auto about = lease("sender.example");
    ASSERT_TRUE(about);
    EXPECT_EQ(read(*about), "report");
    crash();
    store = MemoryStore();
    start();
  }
}

TEST_F(QueueTest, AFileIsSweptOnlyWhenTheRemovalOfItsRecordIsSynced) {
  ASSERT_TRUE(enqueue({"a@x.example"}, std::string(300'000, '.')));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  ASSERT_GT(store.unsynced(), 0U);
  // Killed, and started again before the removal is synced; then power fails.
  host.crash(io::CrashKind::process);
  queue.reset();
  start();
  ASSERT_TRUE(sim.run_for(std::chrono::milliseconds(100)));
  crash();
  start();
  EXPECT_TRUE(list().empty()) << "the record is back, and its content gone";
}

TEST_F(QueueTest, RemovalIsSyncedWithinASecond) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "m"));
  auto work = lease("x.example");
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  EXPECT_EQ(store.unsynced(), 1U);
  ASSERT_TRUE(sim.run_for(milliseconds(1100)));
  EXPECT_EQ(store.unsynced(), 0U);
}

TEST_F(QueueTest, RetryFlushAndRemoveDoAsTheAdministratorSays) {
  std::vector<MessageId> ids;
  for (int i = 0; i < 3; ++i) {
    const auto id = enqueue({"a@x.example"}, "m");
    ASSERT_TRUE(id);
    ids.push_back(*id);
    auto work = lease("x.example");
    ASSERT_TRUE(work);
    const WallTime due = host.clock().wall_now() + std::chrono::hours(1);
    ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::waiting, due)}));
  }
  EXPECT_EQ(list().size(), 3U);
  EXPECT_EQ(queue->retry(MessageId{5}).error().cause, Cause::not_found);
  ASSERT_TRUE(queue->retry(ids[1]));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, ids[1]);
  EXPECT_TRUE(list().at(1).leased);
  EXPECT_EQ(remove(ids[1]).error().cause, Cause::in_use);
  EXPECT_FALSE(lease("x.example"));
  EXPECT_EQ(queue->flush(), 2U);  // not the leased one
  EXPECT_TRUE(lease("x.example"));
  work.reset();
  ASSERT_TRUE(remove(ids[1]));
  EXPECT_EQ(remove(ids[1]).error().cause, Cause::not_found);
  crash();
  start();
  EXPECT_EQ(queue->counts().messages, 2U);
  EXPECT_FALSE(show(ids[1]));
  EXPECT_TRUE(show(ids[2]));
}

TEST_F(QueueTest, LargeContentStreamsThroughAFile) {
  std::string content;
  for (int i = 0; content.size() < 3'000'000; ++i) content += "line " + std::to_string(i) + "\r\n";
  const auto id = enqueue({"a@x.example"}, content);
  ASSERT_TRUE(id);
  std::size_t in_store = 0;
  for (const auto& [key, value] : store.entries()) in_store += value.size();
  EXPECT_LT(in_store, 1000U);
  crash();
  start();
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(*read(*work), content);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  // The removal is not synced yet: a crash may bring the record back, so the file must be there.
  EXPECT_EQ(host.disk().contents(content_file(*id)), content);
  ASSERT_TRUE(sim.run_for(seconds(2)));
  EXPECT_EQ(std::ranges::count(host.disk().names(), content_file(*id)), 0);
}

TEST_F(QueueTest, OrphanedFilesAreSweptAndOthersKept) {
  auto intake = queue->begin(envelope({"a@x.example"}), {});
  ASSERT_TRUE(intake);
  Result<MessageId> kept;
  const std::string content(200'000, 'c');
  kept = enqueue({"b@x.example"}, content);
  ASSERT_TRUE(kept);
  struct Append {
    static io::Task<> run(Intake* to, std::string bytes) {
      EXPECT_TRUE(co_await to->append(bytes));
    }
  };
  run(Append::run(intake->get(), content));
  const std::string orphan = content_file((*intake)->id());
  EXPECT_EQ(std::ranges::count(host.disk().names(), orphan), 1);
  host.crash(io::CrashKind::process);
  queue.reset();
  intake->reset();
  start();
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(std::ranges::count(host.disk().names(), orphan), 0);
  EXPECT_EQ(host.disk().contents(content_file(*kept)), content);
  // An abandoned one goes at once.
  auto second = queue->begin(envelope({"a@x.example"}), {});
  run(Append::run(second->get(), content));
  const std::string name = content_file((*second)->id());
  second->reset();
  ASSERT_TRUE(sim.run_for(seconds(1)));
  EXPECT_EQ(std::ranges::count(host.disk().names(), name), 0);
}

TEST_F(QueueTest, ADamagedContentIsToldBeforeItsEnd) {
  const auto id = enqueue({"a@x.example"}, std::string(200'000, 'c'));
  const auto small = enqueue({"a@x.example"}, "small");
  ASSERT_TRUE(id && small);
  ASSERT_TRUE(host.disk().damage(content_file(*id), 150'000, 'x'));
  store.overwrite(content_key(*small), "smaLl");
  restart();
  for (int i = 0; i < 2; ++i) {
    auto work = lease("x.example");
    ASSERT_TRUE(work);
    const auto got = read(*work);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().cause, Cause::damaged);
    EXPECT_EQ(got.error().persistence, Persistence::permanent);
    ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::failed)}));
  }
}

TEST_F(QueueTest, ADamagedRecordIsSetAsideAndTheRestGoesOn) {
  const auto bad = enqueue({"a@x.example"}, std::string(200'000, 'c'));
  const auto unreadable = enqueue({"a@x.example"}, "2");
  const auto good = enqueue({"a@x.example"}, "3");
  ASSERT_TRUE(bad && unreadable && good);
  std::string bytes = store.entries().at(message_key(*bad));
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  store.overwrite(message_key(*bad), bytes);
  store.make_unreadable(message_key(*unreadable));
  restart();
  EXPECT_EQ(queue->counts().messages, 1U);
  EXPECT_EQ(queue->counts().damaged, 2U);
  EXPECT_EQ(log.troubles.size(), 2U);
  EXPECT_EQ(store.entries().at("damaged/" + message_key(*bad)), bytes);
  EXPECT_FALSE(store.entries().contains(message_key(*bad)));
  EXPECT_TRUE(store.entries().contains(message_key(*unreadable)));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *good);
  work.reset();
  restart();
  EXPECT_EQ(host.disk().contents(content_file(*bad)).size(), 200'000U);  // kept for salvage
}

TEST_F(QueueTest, ARecordDamagedWhileWeRunIsSetAsideAtItsLease) {
  options.hot_bytes_max = 0;
  restart();
  const auto bad = enqueue({"a@x.example"}, "1");
  const auto good = enqueue({"a@x.example"}, "2");
  ASSERT_TRUE(bad && good);
  store.overwrite(message_key(*bad), "rubbish");
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message().id, *good);
  EXPECT_EQ(*read(*work), "2");
  EXPECT_EQ(queue->counts().damaged, 1U);
  EXPECT_EQ(queue->counts().messages, 1U);
}

TEST_F(QueueTest, AFullDiskRefusesNewMailAndComesBackByItself) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "before"));
  host.disk().capacity_bytes = 1000;
  (void)queue->begin(envelope({"a@x.example"}), {});  // may still go by the last look
  ASSERT_TRUE(sim.run_for(seconds(2)));
  (void)queue->begin(envelope({"a@x.example"}), {});
  ASSERT_TRUE(sim.run_for(seconds(2)));
  const auto refused = queue->begin(envelope({"a@x.example"}), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::no_space);
  EXPECT_EQ(refused.error().persistence, Persistence::temporary);
  // What is queued goes on.
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  host.disk().capacity_bytes = std::uint64_t{1} << 40;
  ASSERT_TRUE(sim.run_for(seconds(2)));
  EXPECT_TRUE(enqueue({"a@x.example"}, "after"));
  EXPECT_EQ(log.troubles.size(), 1U);
}

TEST_F(QueueTest, AStoreWithoutSpaceRefusesAndComesBackByItself) {
  store.set_full(true);
  const auto refused = enqueue({"a@x.example"}, "m");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::no_space);
  EXPECT_FALSE(queue->begin(envelope({"a@x.example"}), {}));
  store.set_full(false);
  ASSERT_TRUE(sim.run_for(seconds(2)));
  EXPECT_TRUE(enqueue({"a@x.example"}, "m"));
}

TEST_F(QueueTest, ADiskThatFillsWhileContentStreams) {
  host.disk().capacity_bytes = 300'000;
  options.free_bytes_min = 0;
  restart();
  const auto refused = enqueue({"a@x.example"}, std::string(1'000'000, 'c'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::no_space);
  ASSERT_TRUE(sim.run_for(seconds(3)));
  EXPECT_TRUE(enqueue({"a@x.example"}, std::string(200'000, 'c')));  // the part was removed
}

TEST_F(QueueTest, AWallClockSetBackByADayDelaysNothing) {
  using std::chrono::hours;
  using std::chrono::minutes;
  ASSERT_TRUE(enqueue({"a@x.example", "b@x.example"}, "m"));
  const auto waits = [this](std::uint32_t recipient, Duration pause) {
    return outcome(recipient, RecipientState::waiting, host.clock().wall_now() + pause);
  };
  ASSERT_TRUE(complete(*lease("x.example"), {waits(0, minutes(10)), waits(1, minutes(20))}));
  host.clock().shift_wall(-hours(24));
  ASSERT_TRUE(sim.run_for(minutes(9)));
  EXPECT_FALSE(lease("x.example"));
  ASSERT_TRUE(sim.run_for(minutes(1)));
  auto work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->recipients(), std::vector<std::uint32_t>{0});
  ASSERT_TRUE(complete(*std::move(work), {outcome(0, RecipientState::delivered)}));
  // Of the other nothing is known but its time, by a clock that ran ahead.
  options.pause_max = hours(1);
  restart();
  ASSERT_TRUE(sim.run_for(minutes(59)));
  EXPECT_FALSE(lease("x.example"));
  ASSERT_TRUE(sim.run_for(minutes(1)));
  work = lease("x.example");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->recipients(), std::vector<std::uint32_t>{1});
}

TEST_F(QueueTest, IdsIncreaseThoughTheClockIsSetBackAndNothingIsLeft) {
  const auto first = enqueue({"a@x.example"}, "m");
  ASSERT_TRUE(first);
  ASSERT_TRUE(remove(*first));
  stop();
  host.clock().shift_wall(-std::chrono::hours(24));
  start();
  const auto second = enqueue({"a@x.example"}, "m");
  ASSERT_TRUE(second);
  EXPECT_LT(*first, *second);
}

TEST_F(QueueTest, HotContentIsBoundedAndTheRestIsRead) {
  options.hot_bytes_max = 10'000;
  restart();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(enqueue({"a@x.example"}, std::string(2000, 'c')));
  for (int i = 0; i < 20; ++i) {
    auto work = lease("x.example");
    ASSERT_TRUE(work);
    EXPECT_EQ(read(*work)->size(), 2000U);
    ASSERT_TRUE(complete(std::move(*work), {outcome(0, RecipientState::delivered)}));
  }
  EXPECT_EQ(queue->counts().messages, 0U);
}

TEST_F(QueueTest, ManyUnfinishedIntakesStreamToFilesRatherThanFillMemory) {
  options.intake_bytes_max = 50'000;
  restart();
  std::vector<std::unique_ptr<Intake>> intakes;
  struct Append {
    static io::Task<> run(Intake* to) {
      EXPECT_TRUE(co_await to->append(std::string(20'000, 'c')));
    }
  };
  for (int i = 0; i < 10; ++i) {
    intakes.push_back(*queue->begin(envelope({"a@x.example"}), {}));
    run(Append::run(intakes.back().get()));
  }
  EXPECT_GE(host.disk().names().size(), 5U);
  intakes.clear();
}

TEST_F(QueueTest, AfterDrainNoMailIsTaken) {
  run(queue->drain());
  const auto refused = queue->begin(envelope({"a@x.example"}), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::cancelled);
}

TEST_F(QueueTest, TheStoreSaysItsFormat) {
  EXPECT_EQ(store.entries().at(std::string(format_key)), encode_number(store_format));
  store.crash();
  EXPECT_TRUE(store.entries().contains(std::string(format_key)));
}

TEST_F(QueueTest, ANewerFormatStopsTheStart) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "content"));
  stop();
  store.overwrite(std::string(format_key), encode_number(store_format + 1));
  const auto before = store.entries();
  queue = std::make_unique<Queue>(host.world(), store, log, options);
  Result<> started;
  run(recover_task(&started));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().blame, Blame::operator_);
  EXPECT_NE(started.error().what.find("newer Postern"), std::string::npos) << started.error().what;
  EXPECT_EQ(store.entries(), before);
}

TEST_F(QueueTest, AFullDiskDoesNotKeepTheFormatFromBeingTold) {
  stop();
  ASSERT_TRUE(store.commit({.puts = {}, .deletes = {std::string(format_key)}}, Store::Sync::now));
  store.set_full(true);
  start();
  EXPECT_FALSE(store.entries().contains(std::string(format_key)));
  store.set_full(false);
  ASSERT_TRUE(enqueue({"a@x.example"}, "content"));
  EXPECT_EQ(store.entries().at(std::string(format_key)), encode_number(store_format));
}

TEST_F(QueueTest, RecordsOfVersion1AreDelivered) {
  stop();
  std::ifstream file(source_path("tests/corpus/record/version-1"), std::ios::binary);
  std::string record(std::istreambuf_iterator<char>(file), {});
  store.overwrite(message_key(MessageId{0x0123456789abcdefULL}), std::move(record));
  start();
  EXPECT_EQ(queue->counts().damaged, 0U);
  auto work = lease("example.org");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->recipients().size(), 2U);
  EXPECT_EQ(work->message().lifetime_from, work->message().provenance.arrived);
}

TEST_F(QueueTest, WhatAnOutcomeLeavesOfARecipient) {
  const auto id = enqueue({"a@x.example", "b@x.example"}, "content");
  ASSERT_TRUE(id);
  auto first = lease("x.example");
  const WallTime later = host.clock().wall_now() + std::chrono::minutes(1);
  ASSERT_TRUE(complete(std::move(*first), {outcome(0, RecipientState::waiting, later),
                                           outcome(1, RecipientState::waiting, later)}));
  ASSERT_TRUE(sim.run_for(std::chrono::minutes(2)));
  const WallTime attempted = show(*id)->recipients[0].last_attempt;
  EXPECT_GT(attempted, WallTime());
  auto second = lease("x.example");
  ASSERT_TRUE(second);
  std::vector<RecipientOutcome> untried(2);
  untried[1].recipient = 1;
  for (RecipientOutcome& out : untried) {
    out.attempted = false;
    out.next_attempt = later + std::chrono::hours(1);
  }
  untried[0].delay_told = true;
  ASSERT_TRUE(complete(std::move(*second), untried, report("delayed")));
  const auto after = show(*id);
  for (const QueuedRecipient& recipient : after->recipients) {
    EXPECT_EQ(recipient.attempts, 1U);
    EXPECT_EQ(recipient.last_attempt, attempted);
    EXPECT_EQ(recipient.last_reply, "450 later");
    EXPECT_EQ(recipient.last_remote, "mx [192.0.2.1]:25");
  }
  EXPECT_TRUE(after->recipients[0].delay_told);
  EXPECT_FALSE(after->recipients[1].delay_told);
}

}  // namespace
}  // namespace postern::queue
