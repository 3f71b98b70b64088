#include "ledger/ledger.h"

#include <fstream>
#include <gtest/gtest.h>
#include <map>

#include "io/testing/bed.h"
#include "ledger/ledger_fixture.h"
#include "ledger/schema.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

/// Counts lines by their event.
class CountingLog final : public Log {
 public:
  void line(Severity, std::string_view event, std::initializer_list<LogField>) override {
    ++lines[std::string(event)];
  }
  void raw(Severity, std::string_view) override {}
  std::map<std::string, int> lines;
};

/// In virtual time.
class LedgerTest : public testing::Test {
 protected:
  explicit LedgerTest(LedgerOptions options = {})
      : ledger_(std::make_unique<Ledger>(host_.world(), log_, std::move(options))) {}
  ~LedgerTest() override { run(ledger_->stop()); }

  void run(io::Task<> task) { ASSERT_TRUE(sim_.run_task(host_, std::move(task))); }
  void run_for(Duration duration) { ASSERT_TRUE(sim_.run_for(duration)); }
  std::vector<Deferral> deferrals() {
    Result<std::vector<Deferral>> kept;
    run(read(*ledger_, kept));
    EXPECT_TRUE(kept.has_value());
    return kept.value_or(std::vector<Deferral>{});
  }
  static io::Task<> read(Ledger& ledger, Result<std::vector<Deferral>>& kept) {
    kept = co_await ledger.deferrals();
  }

  CountingLog log_;
  io::SimWorld sim_{1};
  io::SimHost& host_{sim_.add_host("host", *IpAddress::parse("192.0.2.1"))};
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, WhatIsToldIsWrittenWithinTheInterval) {
  ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  ledger_->start();
  run_for(500ms);
  EXPECT_EQ(ledger_->counts().written, 0U) << "it waits for more";
  ledger_->refused(refusal(1s, "192.0.2.7", "eve@example.net"));
  run_for(1s);
  EXPECT_EQ(ledger_->counts().written, 2U);
  EXPECT_EQ(ledger_->counts().batches, 1U);
  EXPECT_EQ(ledger_->counts().deferrals_open, 2U);
  EXPECT_GT(ledger_->counts().database_bytes, 0U);
}

TEST_F(LedgerTest, NoTwoMessagesHaveOneNumber) {
  const std::uint64_t first = ledger_->begin_message();
  EXPECT_GT(first, 0U);
  EXPECT_EQ(ledger_->begin_message(), first + 1);
  run_for(1s);
  Ledger later(host_.world(), log_, {});
  EXPECT_GT(later.begin_message(), ledger_->begin_message());
}

TEST_F(LedgerTest, AReaderSeesWhatWasToldBefore) {
  ledger_->start();
  ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  ledger_->accepted(acceptance(1h, "192.0.2.7", "bob@example.net"));
  const auto kept = deferrals();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].accepted, noon + 1h);
}

TEST_F(LedgerTest, TheEndWritesWhatWaits) {
  ledger_->start();
  run_for(10s);
  ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  run(ledger_->stop());
  EXPECT_EQ(ledger_->counts().written, 1U);
  EXPECT_EQ(log_.lines["ledger_dropped"], 0);
  ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  EXPECT_EQ(ledger_->counts().dropped, 1U);
}

class SmallLedgerTest : public LedgerTest {
 protected:
  static LedgerOptions small() {
    LedgerOptions options;
    options.buffered_max = 10;
    options.batch_max = 5;
    return options;
  }
  SmallLedgerTest() : LedgerTest(small()) {}
};

TEST_F(SmallLedgerTest, WhatIsTooMuchIsCountedAndSaidOnceAMinute) {
  ledger_->start();
  run_for(1s);
  host_.ledger_worker().hold();
  for (int i = 0; i < 5; ++i) ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  run_for(10s);
  for (int i = 0; i < 100; ++i) ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  EXPECT_EQ(ledger_->counts().dropped, 90U);
  EXPECT_EQ(ledger_->counts().buffered, 15U);
  EXPECT_EQ(log_.lines["ledger_dropped"], 1);
  run_for(2min);
  for (int i = 0; i < 100; ++i) ledger_->refused(refusal(0s, "192.0.2.7", "bob@example.net"));
  EXPECT_EQ(log_.lines["ledger_dropped"], 2);
  host_.ledger_worker().release();
  run_for(10s);
  EXPECT_EQ(ledger_->counts().written, 15U);
  EXPECT_EQ(ledger_->counts().buffered, 0U);
}

class LedgerFileTest : public testing::Test {
 protected:
  /// In virtual time, over a file of the real disk.
  void simulate(const std::function<void(Ledger&, io::SimWorld&, io::SimHost&)>& course) {
    io::SimWorld sim(1);
    io::SimHost& host = sim.add_host("host", *IpAddress::parse("192.0.2.1"));
    Ledger ledger(host.world(), log_, options());
    ledger.start();
    course(ledger, sim, host);
    ASSERT_TRUE(sim.run_task(host, ledger.stop()));
    counts_ = ledger.counts();
  }
  /// Records one refusal in the real world.
  void record_one() {
    const auto shard = io::RealShard::create({.directory = directory_.path()});
    ASSERT_TRUE(shard.has_value());
    Ledger ledger((*shard)->world(), log_, options());
    ledger.start();
    ledger.refused(refusal(0s, "192.0.2.7", "bob@example.net"));
    ASSERT_TRUE((*shard)->run_task(ledger.flush()));
    ASSERT_TRUE((*shard)->run_task(ledger.stop()));
    counts_ = ledger.counts();
    problem_ = ledger.problem();
  }
  [[nodiscard]] LedgerOptions options() const {
    LedgerOptions options;
    options.directory = directory_.path();
    return options;
  }
  [[nodiscard]] std::vector<std::string> set_aside() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
      if (const std::string name = entry.path().filename().string();
          name.starts_with("ledger.db.damaged-") && !name.ends_with("-wal"))
        names.push_back(entry.path().string());
    return names;
  }

  TemporaryDirectory directory_;
  CountingLog log_;
  Ledger::Counts counts_;
  std::string problem_;
};

TEST_F(LedgerFileTest, TheFileIsForItsUserOnly) {
  record_one();
  EXPECT_EQ(number_in(directory_.database(), "SELECT count(*) FROM refusals"), 1);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(directory_.database()).permissions(),
            perms::owner_read | perms::owner_write);
}

TEST_F(LedgerFileTest, ADamagedFileIsSetAsideAndANewOneBegun) {
  for (const bool foreign : {false, true}) {
    std::filesystem::remove(directory_.database());
    if (foreign) {
      auto database = Database::open(directory_.database(), Database::Access::create);
      ASSERT_TRUE(database->execute("CREATE TABLE bookmarks (url TEXT)"));
    } else {
      std::ofstream(directory_.database()) << std::string(8192, 'x');
    }
    record_one();
    EXPECT_EQ(counts_.set_aside, 1U);
    EXPECT_EQ(counts_.written, 1U);
    EXPECT_EQ(counts_.dropped, 0U);
    ASSERT_EQ(set_aside().size(), 1U) << testing::PrintToString(set_aside());
    EXPECT_EQ(number_in(directory_.database(), "SELECT count(*) FROM refusals"), 1);
    std::filesystem::remove(set_aside().front());
  }
  EXPECT_EQ(log_.lines["ledger_set_aside"], 2);
}

// What is overwritten while the file is open shows when its pages are read.
TEST_F(LedgerFileTest, AFileThatIsDamagedMeanwhileIsSetAsideToo) {
  {
    auto writer = BatchWriter::open(directory_.database(), noon);
    ASSERT_TRUE(writer.has_value());
    std::vector<Event> events;
    for (int i = 0; i < 3000; ++i)
      events.emplace_back(refusal(i * 1s, "192.0.2.7", std::to_string(i) + "@example.net"));
    ASSERT_TRUE((*writer)->write(events).has_value());
  }
  const auto shard = io::RealShard::create({.directory = directory_.path()});
  ASSERT_TRUE(shard.has_value());
  Ledger ledger((*shard)->world(), log_, options());
  ledger.start();
  ledger.refused(refusal(3000s, "192.0.2.7", "bob@example.net"));
  ASSERT_TRUE((*shard)->run_task(ledger.flush()));
  ASSERT_EQ(ledger.counts().set_aside, 0U);
  {
    constexpr std::streamoff schema_bytes = 4096;
    const auto size =
        static_cast<std::streamoff>(std::filesystem::file_size(directory_.database()));
    std::fstream file(directory_.database(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(schema_bytes);
    file << std::string(static_cast<std::size_t>(size - schema_bytes), '\xff');
  }
  // All of it is to go, so that all of it is read.
  ledger.set_keep({.time = 1s, .bytes_max = 1 << 30, .rows_per_step = 1000});
  for (int i = 0; i < 100 && ledger.counts().set_aside == 0; ++i) {
    ledger.refused(refusal(4000s + i * 1s, "198.51.100.1", "eve@example.net"));
    ASSERT_TRUE((*shard)->run_task(ledger.flush()));
  }
  EXPECT_EQ(ledger.counts().set_aside, 1U);
  EXPECT_EQ(log_.lines["ledger_set_aside"], 1);
  ledger.set_keep({});
  ledger.refused(refusal(5000s, "198.51.100.1", "eve@example.net"));
  ASSERT_TRUE((*shard)->run_task(ledger.flush()));
  EXPECT_EQ(ledger.problem(), "");
  EXPECT_EQ(ledger.counts().dropped, 0U);
  ASSERT_TRUE((*shard)->run_task(ledger.stop()));
  EXPECT_EQ(set_aside().size(), 1U);
  EXPECT_GE(number_in(directory_.database(), "SELECT count(*) FROM refusals"), 1);
}

TEST_F(LedgerFileTest, DamagedFilesDoNotPileUp) {
  for (int i = 0; i < 3; ++i)
    std::ofstream(directory_.database() + ".damaged-" + std::to_string(i)) << "x";
  std::ofstream(directory_.database()) << std::string(8192, 'x');
  simulate([&](Ledger& ledger, io::SimWorld& sim, io::SimHost& host) {
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(sim.run_task(host, [](io::World world, int number) -> io::Task<> {
        (void)co_await world.disk.create("ledger.db.damaged-" + std::to_string(number));
      }(host.world(), i)));
    ASSERT_TRUE(sim.run_for(1min));
    EXPECT_FALSE(ledger.problem().empty());
    EXPECT_EQ(ledger.counts().set_aside, 0U);
  });
}

TEST_F(LedgerFileTest, ANewerFileIsLeftAlone) {
  record_one();
  {
    auto database = Database::open(directory_.database(), Database::Access::create);
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
  }
  simulate([&](Ledger& ledger, io::SimWorld& sim, io::SimHost&) {
    ledger.refused(refusal(0s, "192.0.2.7", "bob@example.net"));
    ASSERT_TRUE(sim.run_for(1h));
    EXPECT_NE(ledger.problem().find("newer"), std::string::npos) << ledger.problem();
  });
  EXPECT_EQ(counts_.dropped, 1U);
  EXPECT_TRUE(set_aside().empty());
  EXPECT_EQ(number_in(directory_.database(), "SELECT count(*) FROM refusals"), 1);
}

TEST_F(LedgerFileTest, WhatCannotBeOpenedIsTriedAgain) {
  std::filesystem::create_directory(directory_.database());
  simulate([&](Ledger& ledger, io::SimWorld& sim, io::SimHost&) {
    ledger.refused(refusal(0s, "192.0.2.7", "bob@example.net"));
    ASSERT_TRUE(sim.run_for(1h));
    EXPECT_FALSE(ledger.problem().empty());
    EXPECT_LE(log_.lines["ledger_failed"], 14) << "every five minutes in the end";
    std::filesystem::remove(directory_.database());
    ASSERT_TRUE(sim.run_for(6min));
    EXPECT_EQ(ledger.problem(), "");
    EXPECT_EQ(ledger.counts().written, 1U) << "it waited";
  });
  EXPECT_EQ(log_.lines["ledger_back"], 1);
}

TEST_F(LedgerFileTest, TheLastOfTheDiskIsLeftToMail) {
  simulate([&](Ledger& ledger, io::SimWorld& sim, io::SimHost& host) {
    host.disk().capacity_bytes = 1 << 20;
    ledger.refused(refusal(0s, "192.0.2.7", "bob@example.net"));
    ASSERT_TRUE(sim.run_for(1min));
    EXPECT_EQ(ledger.counts().written, 0U);
    EXPECT_NE(ledger.problem().find("free"), std::string::npos) << ledger.problem();
    host.disk().capacity_bytes = 1ULL << 40;
    ASSERT_TRUE(sim.run_for(5min));
    EXPECT_EQ(ledger.counts().written, 1U);
  });
}

TEST_F(LedgerFileTest, SomebodyWhoHoldsTheFileLockedHoldsUpNobody) {
  simulate([&](Ledger& ledger, io::SimWorld& sim, io::SimHost&) {
    ASSERT_TRUE(sim.run_for(1s));
    auto other = Database::open(directory_.database(), Database::Access::create);
    ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
    ledger.refused(refusal(0s, "192.0.2.7", "bob@example.net"));
    ASSERT_TRUE(sim.run_for(1500ms));
    EXPECT_FALSE(ledger.problem().empty());
    ASSERT_TRUE(other->execute("COMMIT"));
    ASSERT_TRUE(sim.run_for(5min));
    EXPECT_EQ(ledger.counts().written, 1U);
  });
}

}  // namespace
}  // namespace postern::ledger
