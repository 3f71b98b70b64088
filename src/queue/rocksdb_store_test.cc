#include "queue/rocksdb_store.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include "io/real/shard.h"
#include "queue/fsck.h"
#include "queue/queue.h"
#include "queue/record.h"

namespace postern::queue {
namespace {

namespace fs = std::filesystem;

/// Set in the program that KillNineLosesNothingAcknowledged starts and kills: where it tells ids.
constexpr const char* sender_pipe = "POSTERN_SENDER_PIPE";
void be_the_sender_if_asked();

class RocksdbStoreTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { be_the_sender_if_asked(); }

  RocksdbStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "postern-queue-XXXXXX").string();
    directory = mkdtemp(pattern.data());
  }
  ~RocksdbStoreTest() override { fs::remove_all(directory); }

  [[nodiscard]] std::string database() const { return directory + "/queue"; }
  [[nodiscard]] std::unique_ptr<RocksdbStore> open_store() const {
    auto store = RocksdbStore::open(database());
    EXPECT_TRUE(store) << store.error().what;
    return store ? *std::move(store) : nullptr;
  }
  /// The file of the database with this ending that was written last.
  [[nodiscard]] std::string file_ending(const std::string& ending) const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(database()))
      if (entry.path().extension() == ending && fs::file_size(entry) > 0)
        found.insert(entry.path().string());
    return found.empty() ? "" : *found.rbegin();
  }
  static void put(Store& store, const std::string& key, std::string value) {
    Batch batch;
    batch.puts.push_back({.key = key, .value = std::move(value)});
    ASSERT_TRUE(store.commit(batch, Store::Sync::now));
  }
  static std::vector<std::string> keys(Store& store, std::string_view prefix,
                                       std::vector<std::string>* damage = nullptr) {
    std::vector<std::string> out;
    const auto entry = [&out](std::string_view key, std::string_view) {
      out.emplace_back(key);
      return true;
    };
    EXPECT_TRUE(store.scan(prefix, prefix, entry, [damage](std::string what) {
      if (damage != nullptr) damage->push_back(std::move(what));
    }));
    return out;
  }

  std::string directory;
};

TEST_F(RocksdbStoreTest, KeepsBatchesOverARestart) {
  auto store = open_store();
  put(*store, "m/1", "one");
  put(*store, "m/2", "two");
  put(*store, "n/3", "three");
  Batch batch;
  batch.puts.push_back({.key = "m/4", .value = "four"});
  batch.deletes = {"m/1"};
  ASSERT_TRUE(store->commit(batch, Store::Sync::later));
  ASSERT_TRUE(store->commit({}, Store::Sync::now));
  store.reset();
  store = open_store();
  EXPECT_EQ(keys(*store, "m/"), (std::vector<std::string>{"m/2", "m/4"}));
  EXPECT_EQ(*store->get("m/4"), "four");
  EXPECT_EQ(store->get("m/1").error().cause, Cause::not_found);
}

TEST_F(RocksdbStoreTest, OpenSaysWhatIsWrong) {
  auto store = open_store();
  put(*store, "m/1", std::string(1000, 'v'));
  put(*store, "m/2", std::string(1000, 'v'));
  const auto twice = RocksdbStore::open(database());
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().cause, Cause::in_use);
  EXPECT_EQ(twice.error().blame, Blame::operator_);
  EXPECT_NE(twice.error().what.find("in use by another process"), std::string::npos);
  store.reset();
  const auto missing = RocksdbStore::open(directory + "/no/such/parent");
  ASSERT_FALSE(missing);
  const std::string manifest = fs::path(file_ending(".log")).parent_path() / "CURRENT";
  std::ofstream(manifest) << "rubbish\n";
  const auto damaged = RocksdbStore::open(database());
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().cause, Cause::damaged) << damaged.error().what;
  EXPECT_NE(damaged.error().what.find("ldb repair"), std::string::npos);
}

TEST_F(RocksdbStoreTest, NoPermissionIsSaid) {
  if (geteuid() == 0) {
    // Root may write anywhere: a file in the place of the directory's parent must do.
    std::ofstream(directory + "/file") << "x";
    EXPECT_FALSE(RocksdbStore::open(directory + "/file/queue"));
    return;
  }
  fs::permissions(directory, fs::perms::owner_read | fs::perms::owner_exec);
  const auto refused = RocksdbStore::open(database());
  fs::permissions(directory, fs::perms::owner_all);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::no_permission);
}

void flip_byte(const std::string& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get());
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(static_cast<char>(byte ^ 0x55));
}

TEST_F(RocksdbStoreTest, ATornEndOfTheLogIsTakenAndDamageBeforeItIsNot) {
  auto store = open_store();
  for (int i = 0; i < 10; ++i) put(*store, "m/" + std::to_string(i), std::string(1000, 'v'));
  store.reset();
  const std::string log = file_ending(".log");
  fs::resize_file(log, fs::file_size(log) - 10);
  store = open_store();
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(keys(*store, "m/").size(), 9U);
  for (int i = 10; i < 20; ++i) put(*store, "m/" + std::to_string(i), std::string(1000, 'v'));
  store.reset();
  flip_byte(file_ending(".log"), 2500);
  const auto damaged = RocksdbStore::open(database());
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().cause, Cause::damaged) << damaged.error().what;
}

TEST_F(RocksdbStoreTest, ADamagedBlockIsPassedOverAndReported) {
  auto store = open_store();
  for (std::uint64_t i = 0; i < 200; ++i)
    put(*store, message_key(MessageId{i << 12}), std::string(1000, 'v'));
  ASSERT_TRUE(store->flush());
  store.reset();
  flip_byte(file_ending(".sst"), 100'000);
  store = open_store();
  ASSERT_NE(store, nullptr);
  std::vector<std::string> damage;
  const auto found = keys(*store, message_prefix, &damage);
  EXPECT_EQ(damage.size(), 1U) << testing::PrintToString(damage);
  EXPECT_LT(found.size(), 200U);
  EXPECT_GE(found.size(), 190U);  // a block holds a few
  EXPECT_EQ(found.back(), message_key(MessageId{std::uint64_t{199} << 12}));
  EXPECT_TRUE(std::ranges::is_sorted(found));
  EXPECT_EQ(store->get(message_key(MessageId{std::uint64_t{98} << 12})).has_value(),
            std::ranges::count(found, message_key(MessageId{std::uint64_t{98} << 12})) == 1);
}

TEST_F(RocksdbStoreTest, ReadOnlyItSeesEverythingChangesNothingAndHoldsTheLock) {
  const RocksdbOptions look{.access = StoreAccess::read_only};
  const auto nothing = RocksdbStore::open(database(), look);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().cause, Cause::not_found) << nothing.error().what;
  EXPECT_EQ(RocksdbStore::open(database(), {.access = StoreAccess::existing}).error().cause,
            Cause::not_found);
  EXPECT_FALSE(fs::exists(database() + "/CURRENT"));
  auto store = open_store();
  put(*store, "m/1", "in a table");
  ASSERT_TRUE(store->flush());
  put(*store, "m/2", "in the log");
  EXPECT_EQ(RocksdbStore::open(database(), look).error().cause, Cause::in_use);
  store.reset();
  const auto files = [this] {
    std::map<std::string, std::pair<std::uint64_t, fs::file_time_type>> out;
    for (const auto& entry : fs::directory_iterator(database()))
      out[entry.path()] = {fs::file_size(entry), fs::last_write_time(entry)};
    return out;
  };
  const auto before = files();
  auto reader = RocksdbStore::open(database(), look);
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ(keys(**reader, "m/"), (std::vector<std::string>{"m/1", "m/2"}));
  Batch batch;
  batch.deletes = {"m/1"};
  EXPECT_FALSE((*reader)->commit(batch, Store::Sync::now));
  EXPECT_EQ(files(), before);
  EXPECT_EQ(RocksdbStore::open(database()).error().cause, Cause::in_use);
  reader->reset();
  EXPECT_NE(open_store(), nullptr);
}

// --- the whole queue on the real disk

struct RealQueue {
  RealQueue(const std::string& directory, Store& store)
      : shard(*io::RealShard::create({.directory = directory})),
        queue(shard->world(), store, log, {}) {}

  io::Task<> recover() {
    const auto recovered = co_await queue.recover();
    EXPECT_TRUE(recovered) << recovered.error().what;
  }
  io::Task<> drain() { co_await queue.drain(); }
  io::Task<Result<MessageId>> enqueue(std::string content) {
    mail::Envelope envelope;
    envelope.reverse_path = "sender@example.com";
    envelope.recipients.resize(1);
    envelope.recipients[0].address = "a@x.example";
    Provenance provenance;
    provenance.arrived = shard->world().clock.wall_now();
    CO_TRY(const auto intake, queue.begin(std::move(envelope), std::move(provenance)));
    CO_TRY_VOID(co_await intake->append(content));
    co_return co_await intake->commit();
  }
  io::Task<> take_all(std::map<std::uint64_t, std::string>* out) {
    while (auto work = co_await queue.lease("x.example")) {
      const auto content = co_await queue.content(*work);
      EXPECT_TRUE(content) << content.error().what;
      if (!content) co_return;
      std::string& text = (*out)[work->message().id.value];
      while (true) {
        const auto chunk = co_await (*content)->next_chunk();
        EXPECT_TRUE(chunk);
        if (!chunk || chunk->empty()) break;
        text += *chunk;
      }
      std::vector<RecipientOutcome> outcomes(1);
      outcomes[0].state = RecipientState::delivered;
      EXPECT_TRUE(co_await queue.complete(std::move(*work), outcomes, std::nullopt));
    }
  }
  /// Sends for ever, and tells each acknowledged id through a pipe.
  io::Task<> send_and_tell(int pipe, int sender) {
    for (int i = 0;; ++i) {
      const std::size_t size = (i + sender) % 20 == 0 ? 200'000 : 1000;
      const auto id = co_await enqueue(std::string(size, static_cast<char>('a' + sender)));
      if (!id) _exit(3);
      if (write(pipe, &id->value, sizeof id->value) != sizeof id->value) _exit(4);
    }
  }

  NoLog log;
  std::unique_ptr<io::RealShard> shard;
  Queue queue;
};

TEST_F(RocksdbStoreTest, AQueueOnTheRealDiskSurvivesARestart) {
  std::set<std::uint64_t> ids;
  {
    auto store = open_store();
    RealQueue real(directory, *store);
    ASSERT_TRUE(real.shard->run_task(real.recover()));
    struct Send {
      static io::Task<> run(RealQueue* to, std::set<std::uint64_t>* ids) {
        for (int i = 0; i < 10; ++i) {
          const auto id = co_await to->enqueue(std::string(i % 2 == 0 ? 500 : 300'000, 'c'));
          EXPECT_TRUE(id);
          if (id) ids->insert(id->value);
        }
      }
    };
    ASSERT_TRUE(real.shard->run_task(Send::run(&real, &ids)));
    ASSERT_TRUE(real.shard->run_task(real.drain()));
  }
  auto store = open_store();
  RealQueue real(directory, *store);
  ASSERT_TRUE(real.shard->run_task(real.recover()));
  EXPECT_EQ(real.queue.counts().messages, 10U);
  std::map<std::uint64_t, std::string> found;
  ASSERT_TRUE(real.shard->run_task(real.take_all(&found)));
  ASSERT_TRUE(real.shard->run_task(real.drain()));
  EXPECT_EQ(found.size(), 10U);
  for (const auto& [id, content] : found) {
    EXPECT_TRUE(ids.contains(id));
    EXPECT_TRUE(content == std::string(500, 'c') || content == std::string(300'000, 'c'));
  }
  EXPECT_TRUE(fs::is_empty(directory + "/content"));
}

struct Fscked {
  io::Task<> look(io::World world, Store& store, FsckMode mode) {
    result = co_await fsck(world, store, mode, [this](const Finding& finding) {
      kinds.emplace_back(finding.kind);
      EXPECT_EQ(finding.error, "");
    });
  }
  Result<FsckReport> result;
  std::vector<std::string> kinds;
};

TEST_F(RocksdbStoreTest, FsckOnTheRealDisk) {
  std::vector<MessageId> ids;
  {
    auto store = open_store();
    RealQueue real(directory, *store);
    ASSERT_TRUE(real.shard->run_task(real.recover()));
    struct Send {
      static io::Task<> run(RealQueue* to, std::vector<MessageId>* ids) {
        for (int i = 0; i < 40; ++i) {
          const auto id = co_await to->enqueue(std::string(i % 4 == 0 ? 150'000 : 20'000, 'c'));
          EXPECT_TRUE(id);
          if (id) ids->push_back(*id);
        }
      }
    };
    ASSERT_TRUE(real.shard->run_task(Send::run(&real, &ids)));
    ASSERT_TRUE(real.shard->run_task(real.drain()));
    ASSERT_TRUE(store->flush());
  }
  const auto look = [this](FsckMode mode, StoreAccess access) {
    Fscked out;
    auto store = RocksdbStore::open(database(), {.access = access});
    EXPECT_TRUE(store) << store.error().what;
    auto shard = *io::RealShard::create({.directory = directory});
    EXPECT_TRUE(shard->run_task(out.look(shard->world(), **store, mode)));
    EXPECT_TRUE(out.result) << out.result.error().what;
    return out;
  };
  EXPECT_EQ(look(FsckMode::look, StoreAccess::read_only).kinds, std::vector<std::string>{});
  // The files: one cut, one gone, one that nobody names.
  fs::resize_file(directory + "/" + content_file(ids[0]), 100'000);
  fs::remove(directory + "/" + content_file(ids[4]));
  std::ofstream(directory + "/" + content_file(MessageId{77})) << "whose?";
  const std::vector<std::string> found = {"content-damaged", "content-missing", "file-orphaned"};
  EXPECT_EQ(look(FsckMode::look, StoreAccess::read_only).kinds, found);
  const Fscked mended = look(FsckMode::repair, StoreAccess::existing);
  EXPECT_EQ(mended.kinds, found);
  EXPECT_EQ(mended.result->mended, 3U);
  EXPECT_EQ(look(FsckMode::look, StoreAccess::read_only).result->left, 0U);
  EXPECT_EQ(fs::file_size(directory + "/salvaged/" + ids[0].text() + ".eml"), 100'000U);
  EXPECT_TRUE(fs::exists(directory + "/salvaged/" + MessageId{77}.text() + ".eml"));
  // A block of small contents: told of once, and what it belongs to is for the senders.
  const std::string table = file_ending(".sst");
  flip_byte(table, 300'000);
  const Fscked rotten = look(FsckMode::look, StoreAccess::read_only);
  EXPECT_EQ(std::ranges::count(rotten.kinds, "block-unreadable"), 1);
  EXPECT_GE(std::ranges::count(rotten.kinds, "content-damaged"), 2)
      << testing::PrintToString(rotten.kinds);
}

[[noreturn]] void be_the_sender(const std::string& directory, const std::string& database,
                                int pipe) {
  auto store = RocksdbStore::open(database);
  if (!store) _exit(2);
  RealQueue real(directory, **store);
  (void)real.shard->run_task(real.recover());
  io::World world = real.shard->world();
  io::TaskGroup senders(world.executor, world.clock, 16);
  for (int sender = 0; sender < 16; ++sender)
    senders.spawn("sender", real.send_and_tell(pipe, sender));
  real.shard->run();
  _exit(5);
}

void be_the_sender_if_asked() {
  if (const char* pipe = std::getenv(sender_pipe))
    be_the_sender(std::getenv("POSTERN_SENDER_DIRECTORY"), std::getenv("POSTERN_SENDER_DATABASE"),
                  std::atoi(pipe));
}

// As a program of its own: RocksDB's threads of the tests before do not come along with a fork, and
// what was locked in them stays so. It runs the same test, which finds what it is by the pipe.
[[noreturn]] void become_the_sender(const std::string& directory, const std::string& database,
                                    int pipe) {
  setenv("POSTERN_SENDER_DIRECTORY", directory.c_str(), 1);
  setenv("POSTERN_SENDER_DATABASE", database.c_str(), 1);
  setenv(sender_pipe, std::to_string(pipe).c_str(), 1);
  execl("/proc/self/exe", "queue_test",
        "--gtest_filter=RocksdbStoreTest.KillNineLosesNothingAcknowledged", nullptr);
  _exit(6);
}

TEST_F(RocksdbStoreTest, KillNineLosesNothingAcknowledged) {
  std::set<std::uint64_t> acknowledged;
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      become_the_sender(directory, database(), ends[1]);
    }
    close(ends[1]);
    std::uint64_t id = 0;
    std::size_t in_round = 0;
    while (in_round < 200U + static_cast<std::size_t>(round) * 37U &&
           read(ends[0], &id, sizeof id) == sizeof id) {
      acknowledged.insert(id);
      ++in_round;
    }
    kill(child, SIGKILL);
    while (read(ends[0], &id, sizeof id) == sizeof id) acknowledged.insert(id);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    ASSERT_GE(in_round, 200U);
  }
  auto store = open_store();
  RealQueue real(directory, *store);
  ASSERT_TRUE(real.shard->run_task(real.recover()));
  std::map<std::uint64_t, std::string> found;
  ASSERT_TRUE(real.shard->run_task(real.take_all(&found)));
  ASSERT_TRUE(real.shard->run_task(real.drain()));
  for (const std::uint64_t id : acknowledged)
    ASSERT_TRUE(found.contains(id)) << MessageId{id}.text();
  for (const auto& [id, content] : found)
    EXPECT_TRUE(content.size() == 1000 || content.size() == 200'000) << content.size();
}

}  // namespace
}  // namespace postern::queue
