#include "queue/fsck.h"

#include <algorithm>
#include <gmock/gmock.h>

#include "base/text.h"
#include "queue/queue_fixture.h"
#include "queue/record.h"

namespace postern::queue {
namespace {

using State = Finding::State;
using testing::HasSubstr;

const std::string large(200'000, 'L');

class FsckTest : public QueueTest {
 protected:
  io::Task<> fsck_task(FsckMode mode, Result<FsckReport>* out) {
    *out = co_await fsck(host.world(), store, mode,
                         [this](const Finding& finding) { findings.push_back(finding); });
  }
  /// What it finds; the queue is stopped.
  std::vector<Finding> check(FsckMode mode = FsckMode::look) {
    findings.clear();
    Result<FsckReport> result;
    run(fsck_task(mode, &result));
    EXPECT_TRUE(result) << result.error().what;
    if (result) report = *result;
    return findings;
  }
  /// Exactly one finding of the kind, which looking leaves as it is, a repair mends, and which then
  /// is gone.
  Finding expect_mended(std::string_view kind, State after = State::mended) {
    const auto before = store.entries();
    const auto files_before = host.disk().names();
    const std::vector<Finding> seen = check();
    EXPECT_EQ(kinds(seen), std::vector<std::string>{std::string(kind)});
    if (seen.size() != 1) return {};
    EXPECT_EQ(seen[0].state, State::found);
    EXPECT_EQ(report.left, 1U);
    EXPECT_EQ(store.entries(), before) << "looking changed the store";
    EXPECT_EQ(host.disk().names(), files_before) << "looking changed files";
    const std::vector<Finding> mended = check(FsckMode::repair);
    EXPECT_EQ(kinds(mended), std::vector<std::string>{std::string(kind)});
    if (mended.size() != 1) return {};
    EXPECT_EQ(mended[0].state, after) << mended[0].error;
    return mended[0];
  }
  void expect_clean() {
    for (const Finding& finding : check()) ADD_FAILURE() << finding.kind << ": " << finding.what;
  }
  static std::vector<std::string> kinds(const std::vector<Finding>& of) {
    std::vector<std::string> out;
    out.reserve(of.size());
    for (const Finding& finding : of) out.emplace_back(finding.kind);
    return out;
  }
  std::string file(const std::string& name) { return host.disk().contents(name); }
  void flip(const std::string& key, std::size_t at) {
    std::string value = *store.get(key);
    value[at] = static_cast<char>(value[at] ^ 1);
    store.overwrite(key, std::move(value));
  }
  StoredMessage stored(MessageId id) { return *decode_record(*store.get(message_key(id))); }
  void remove_from_store(const std::string& key) {
    Batch batch;
    batch.deletes.push_back(key);
    ASSERT_TRUE(store.commit(batch, Store::Sync::now));
  }
  io::Task<> remove_file(std::string name) {
    EXPECT_TRUE(co_await host.world().disk.remove(std::move(name)));
  }
  io::Task<> make_directory(std::string name) {
    EXPECT_TRUE(co_await host.world().disk.make_directory(std::move(name)));
  }
  io::Task<> write_file(std::string name, std::string bytes) {
    auto created = co_await host.world().disk.create(std::move(name));
    EXPECT_TRUE(created);
    if (created) EXPECT_TRUE(co_await (*created)->append(bytes));
  }

  std::vector<Finding> findings;
  FsckReport report;
};

TEST_F(FsckTest, AQueueInUseIsWellAlsoAfterACrash) {
  EXPECT_TRUE(enqueue({"a@x.example", "b@y.example"}, "small"));
  EXPECT_TRUE(enqueue({"a@x.example"}, large));
  ASSERT_TRUE(complete(*lease("y.example"), {outcome(1, RecipientState::delivered)}));
  ASSERT_TRUE(complete(*lease("x.example"), {outcome(0, RecipientState::dead)}));
  stop();
  expect_clean();
  EXPECT_EQ(report.messages, 1U);
  EXPECT_EQ(report.dead_letters, 1U);
  EXPECT_EQ(report.content_bytes, 5 + large.size());
}

TEST_F(FsckTest, AnEmptyStoreIsWell) {
  stop();
  store = MemoryStore();
  expect_clean();
}

TEST_F(FsckTest, ManyMessagesAreLookedThroughStepByStep) {
  for (int i = 0; i < 2500; ++i) ASSERT_TRUE(enqueue({"a@x.example"}, "small"));
  stop();
  expect_clean();
  EXPECT_EQ(report.messages, 2500U);
}

TEST_F(FsckTest, ARecordThatDoesNotReadGoesToFilesWithItsContent) {
  for (const std::string& content : {std::string("small"), large}) {
    const MessageId id = *enqueue({"a@x.example"}, content);
    stop();
    const std::string bytes = *store.get(message_key(id));
    flip(message_key(id), bytes.size() - 1);
    const std::string damaged = *store.get(message_key(id));
    const Finding finding = expect_mended("record-damaged");
    EXPECT_EQ(finding.id, id.text());
    EXPECT_THAT(finding.what, HasSubstr("checksum differs"));
    EXPECT_THAT(finding.what, HasSubstr("<sender@example.com> to <a@x.example>"));
    EXPECT_EQ(file("salvaged/" + id.text() + ".eml"), content);
    EXPECT_EQ(file("salvaged/" + id.text() + ".record"), damaged);
    EXPECT_THAT(file("salvaged/" + id.text() + ".txt"), HasSubstr("recipient  <a@x.example>"));
    expect_clean();
    start();
    EXPECT_TRUE(log.troubles.empty()) << testing::PrintToString(log.troubles);
  }
}

TEST_F(FsckTest, ARecordUnderAnotherIdDoesNotPass) {
  const MessageId first = *enqueue({"a@x.example"}, "small");
  const MessageId second = *enqueue({"a@x.example"}, "small");
  stop();
  store.overwrite(message_key(second), *store.get(message_key(first)));
  EXPECT_THAT(expect_mended("record-damaged").what, HasSubstr("that of message " + first.text()));
  expect_clean();
  EXPECT_EQ(report.messages, 1U);
}

TEST_F(FsckTest, WhatIsSetAsideIsShownAndGoesToFiles) {
  const MessageId id = *enqueue({"a@x.example"}, large);
  stop();
  flip(message_key(id), 0);  // its version
  start();
  stop();
  const Finding finding = expect_mended("set-aside");
  EXPECT_THAT(finding.repair, HasSubstr("its content in .eml"));
  EXPECT_EQ(file("salvaged/" + id.text() + ".eml"), large);
  expect_clean();
}

TEST_F(FsckTest, WhatWasSetAsideAndReadsComesBack) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  stop();
  const std::string bytes = *store.get(message_key(id));
  store.overwrite("damaged/" + message_key(id), bytes);
  remove_from_store(message_key(id));
  expect_mended("set-aside-reads");
  EXPECT_EQ(report.messages, 1U) << "it is looked through with the others";
  expect_clean();
  start();
  EXPECT_EQ(*read(*lease("x.example")), "small");
}

TEST_F(FsckTest, ARecordOfANewerPosternIsLeftToIt) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  stop();
  std::string newer = *store.get(message_key(id));
  newer.resize(newer.size() - 4);
  newer[0] = record_version + 1;
  const std::uint32_t crc = crc32_of(newer);
  for (int shift = 24; shift >= 0; shift -= 8) newer.push_back(static_cast<char>(crc >> shift));
  store.overwrite(message_key(id), newer);
  const auto seen = check(FsckMode::repair);
  ASSERT_EQ(kinds(seen), std::vector<std::string>{"record-damaged"});
  EXPECT_EQ(seen[0].state, State::manual);
  EXPECT_THAT(seen[0].repair, HasSubstr("newer Postern"));
  EXPECT_EQ(*store.get(message_key(id)), newer);
}

TEST_F(FsckTest, ALostContentIsTheSendersToKnow) {
  const MessageId small = *enqueue({"a@x.example"}, "small");
  stop();
  remove_from_store(content_key(small));
  EXPECT_THAT(expect_mended("content-missing").repair, HasSubstr("reports it to the sender"));
  EXPECT_EQ(file("salvaged/" + small.text() + ".eml"), "");
  // Until the server has run it is told of, but there is nothing left to do.
  EXPECT_EQ(check(FsckMode::repair).at(0).state, State::settled);
  EXPECT_EQ(report.left, 0U);
  start();
  const auto work = lease("x.example");
  ASSERT_TRUE(work) << "it is due at once";
  EXPECT_EQ(work->message().lifetime_from, WallTime()) << "and its lifetime is over";
  EXPECT_FALSE(read(*work));
}

TEST_F(FsckTest, AHeldMessageThatLostItsContentStaysHeldAndIsToldOf) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  ASSERT_TRUE(act(Command::hold, id));
  stop();
  remove_from_store(content_key(id));
  expect_mended("content-missing");
  EXPECT_TRUE(stored(id).message.held);
  EXPECT_EQ(check().at(0).state, State::manual);
}

TEST_F(FsckTest, ADamagedContentIsCopied) {
  const MessageId in_store = *enqueue({"a@x.example"}, "small");
  stop();
  store.overwrite(content_key(in_store), "smell");
  EXPECT_THAT(expect_mended("content-damaged").what, HasSubstr("checksum"));
  EXPECT_EQ(file("salvaged/" + in_store.text() + ".eml"), "smell");
  EXPECT_EQ(*store.get(content_key(in_store)), "smell") << "the report may quote it";
  store.overwrite(content_key(in_store), "small");
  start();
  const MessageId in_file = *enqueue({"a@x.example"}, large);
  stop();
  ASSERT_TRUE(host.disk().damage(content_file(in_file), 150'000, 'x'));
  EXPECT_EQ(expect_mended("content-damaged").id, in_file.text());
  EXPECT_EQ(file("salvaged/" + in_file.text() + ".eml"), file(content_file(in_file)));
}

TEST_F(FsckTest, ADeadLetterWithoutContentIsTheAdministrators) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  ASSERT_TRUE(complete(*lease("x.example"), {outcome(0, RecipientState::dead)}));
  stop();
  remove_from_store(content_key(id));
  const auto before = store.entries();
  const auto seen = check(FsckMode::repair);
  ASSERT_EQ(kinds(seen), std::vector<std::string>{"content-missing"});
  EXPECT_EQ(seen[0].state, State::manual);
  EXPECT_EQ(report.left, 1U);
  EXPECT_EQ(store.entries(), before);
  store.overwrite(dead_key(id), "rubbish");
  EXPECT_EQ(expect_mended("dead-letter-damaged").id, id.text());
  expect_clean();
}

TEST_F(FsckTest, ContentsWithoutRecordAreKeptAsFiles) {
  const MessageId id{42};
  stop();
  store.overwrite(content_key(id), "whose?");
  store.overwrite(std::string(last_id_key), encode_id(id));
  expect_mended("content-orphaned");
  EXPECT_EQ(file("salvaged/" + id.text() + ".eml"), "whose?");
  expect_clean();
  run(write_file(content_file(id), "mine!"));
  expect_mended("file-orphaned");
  EXPECT_EQ(file("salvaged/" + id.text() + ".eml"), "whose?") << "nothing is overwritten";
  EXPECT_EQ(file("salvaged/" + id.text() + "-2.eml"), "mine!");
  expect_clean();
}

TEST_F(FsckTest, AContentBesideTheOneThatTheRecordNamesIsAnOrphan) {
  const MessageId id = *enqueue({"a@x.example"}, large);
  stop();
  store.overwrite(content_key(id), "another");
  expect_mended("content-orphaned");
  expect_clean();
  start();
  EXPECT_EQ(*read(*lease("x.example")), large);
}

TEST_F(FsckTest, WhenABlockDoesNotReadNothingIsTakenForAnOrphan) {
  const MessageId first = *enqueue({"a@x.example"}, large);
  const MessageId second = *enqueue({"a@x.example"}, "small");
  ASSERT_TRUE(enqueue({"a@x.example"}, "small"));
  stop();
  store.make_unreadable(message_key(first));
  store.make_unreadable(message_key(second));
  const auto before = host.disk().names();
  const auto seen = check(FsckMode::repair);
  ASSERT_EQ(kinds(seen), std::vector<std::string>{"block-unreadable"});
  EXPECT_EQ(seen[0].state, State::manual);
  EXPECT_THAT(seen[0].repair, HasSubstr("snapshot"));
  EXPECT_EQ(host.disk().names(), before);
  EXPECT_EQ(report.messages, 1U);
  EXPECT_EQ(report.left, 1U);
}

TEST_F(FsckTest, TheHighestIdIsRaised) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  stop();
  store.overwrite(std::string(last_id_key), encode_id(MessageId{id.value - 1}));
  EXPECT_EQ(expect_mended("last-id-low").id, id.text());
  expect_clean();
  for (const std::string& kept : {std::string("short"), std::string()}) {
    store.overwrite(std::string(last_id_key), kept);
    expect_mended("last-id-low");
  }
  remove_from_store(std::string(last_id_key));
  expect_mended("last-id-low");
  expect_clean();
}

TEST_F(FsckTest, TheFormat) {
  ASSERT_TRUE(enqueue({"a@x.example"}, "small"));
  stop();
  remove_from_store(std::string(format_key));
  expect_clean();  // format 1, which the start raises
  store.overwrite(std::string(format_key), "x");
  expect_mended("format-unreadable");
  expect_clean();
  store.overwrite(std::string(format_key), encode_number(store_format + 1));
  store.overwrite("m/strange", "");
  EXPECT_EQ(kinds(check(FsckMode::repair)), std::vector<std::string>{"format-newer"});
  EXPECT_EQ(report.left, 1U);
}

TEST_F(FsckTest, WhatIsNotOursIsToldOfAndLeft) {
  const MessageId id = *enqueue({"a@x.example"}, large);
  stop();
  const std::vector<std::string> keys = {"a",           "c/short", "dead/x", "dead/m/x", "damaged/",
                                         "damaged/m/x", "m/short", "n",      "s/other"};
  for (const std::string& key : keys) store.overwrite(key, "?");
  run(write_file("content/readme", "?"));
  run(write_file("content/" + to_lower(id.text()), "?"));
  const auto before = store.entries();
  const auto seen = check(FsckMode::repair);
  EXPECT_EQ(std::ranges::count(seen, "key-unknown", &Finding::kind), std::ssize(keys));
  EXPECT_EQ(std::ranges::count(seen, "file-unknown", &Finding::kind), 2);
  EXPECT_EQ(seen.size(), keys.size() + 2);
  EXPECT_EQ(store.entries(), before);
  EXPECT_EQ(file("content/readme"), "?");
}

TEST_F(FsckTest, ARepairThatFailsChangesNothingAndSaysWhy) {
  const MessageId id = *enqueue({"a@x.example"}, "small");
  stop();
  store.overwrite(message_key(id), "rubbish");
  const auto before = store.entries();
  host.disk().capacity_bytes = 0;
  auto seen = check(FsckMode::repair);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].state, State::failed);
  EXPECT_NE(seen[0].error, "");
  EXPECT_EQ(report.left, 1U);
  EXPECT_EQ(store.entries(), before);
  host.disk().capacity_bytes = 1 << 20;
  store.fail_next(MemoryStore::Failure::refused);
  seen = check(FsckMode::repair);
  EXPECT_EQ(store.entries(), before);
  ASSERT_EQ(kinds(seen), std::vector<std::string>{"record-damaged"});
  EXPECT_EQ(seen[0].state, State::failed);
  expect_mended("record-damaged");
  EXPECT_EQ(file("salvaged/" + id.text() + ".eml"), "small");
  EXPECT_EQ(file("salvaged/" + id.text() + "-2.eml"), "small");
  expect_clean();
}

TEST_F(FsckTest, WhatARepairLeftUnfinishedIsRemoved) {
  stop();
  run(make_directory("salvaged"));
  run(write_file("salvaged/0000000000001.eml.unfinished", "half"));
  run(write_file("salvaged/0000000000001.eml", "whole"));
  expect_mended("temporary-file");
  expect_clean();
  EXPECT_EQ(file("salvaged/0000000000001.eml"), "whole");
}

TEST_F(FsckTest, APowerFailureInARepairLosesNothing) {
  for (int moment = 0; moment < 40; ++moment) {
    const MessageId id = *enqueue({"a@x.example"}, moment % 2 == 0 ? "small" : large);
    stop();
    store.overwrite(message_key(id), "rubbish");
    Result<FsckReport> result;
    host.spawn("repair", fsck_task(FsckMode::repair, &result));
    ASSERT_TRUE(sim.run_for(std::chrono::microseconds(700 * moment)));
    crash(0);
    findings.clear();
    check(FsckMode::repair);
    expect_clean();
    std::size_t copies = 0;
    for (const std::string& name : host.disk().names())
      if (name.starts_with("salvaged/" + id.text()) && name.ends_with(".eml") &&
          file(name) == (moment % 2 == 0 ? "small" : large))
        ++copies;
    EXPECT_GE(copies, 1U) << "moment " << moment;
    start();
  }
}

}  // namespace
}  // namespace postern::queue
