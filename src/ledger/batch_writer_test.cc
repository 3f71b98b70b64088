#include "ledger/batch_writer.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

class BatchWriterTest : public testing::Test {
 protected:
  BatchWriterTest() { reopen(); }

  void reopen() {
    writer_.reset();
    auto opened = BatchWriter::open(directory_.database(), noon);
    ASSERT_TRUE(opened.has_value()) << opened.error().what;
    writer_ = *std::move(opened);
  }
  void write(const std::vector<Event>& events) {
    const auto written = writer_->write(events);
    ASSERT_TRUE(written.has_value()) << written.error().what;
  }
  [[nodiscard]] std::int64_t number(std::string_view sql) const {
    return number_in(directory_.database(), sql);
  }
  std::vector<Deferral> deferrals() { return writer_->deferrals(100).value(); }

  TemporaryDirectory directory_;
  std::unique_ptr<BatchWriter> writer_;
};

TEST_F(BatchWriterTest, EveryRecipientIsARowAndTheLookupsAreOne) {
  const auto lookups = no_ptr_lookups("192.0.2.7");
  write({refusal(0s, "192.0.2.7", "bob@example.net", lookups),
         refusal(0s, "192.0.2.7", "eve@example.net", lookups)});
  write({refusal(5min, "192.0.2.7", "bob@example.net", lookups)});
  EXPECT_EQ(number("SELECT count(*) FROM refusals"), 3);
  EXPECT_EQ(number("SELECT count(*) FROM evidence"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM deferrals"), 2);
  EXPECT_EQ(number("SELECT refused FROM clients"), 3);
  EXPECT_EQ(number("SELECT count(*) FROM refusals JOIN deferrals ON deferrals.id = "
                   "refusals.deferral AND deferrals.recipient = refusals.recipient"),
            3);
  write({refusal(2h, "192.0.2.7", "bob@example.net", lookups)});
  EXPECT_EQ(number("SELECT count(*) FROM evidence"), 2) << "so that old rows may go";
}

TEST_F(BatchWriterTest, AttemptsAreJoinedAcrossBatchesAndStarts) {
  write({refusal(0s, "192.0.2.7", "bob@example.net")});
  write({refusal(5min, "198.51.100.1", "bob@example.net")});
  reopen();
  write({refusal(15min, "192.0.2.9", "Bob@example.net")});
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].attempts, (std::vector<WallTime>{noon, noon + 5min, noon + 15min}));
  EXPECT_EQ(deferrals()[0].addresses.size(), 3U);
  reopen();
  write({acceptance(1h, "203.0.113.1", "bob@example.net")});
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].accepted, noon + 1h);
  EXPECT_EQ(deferrals()[0].accepted_from.text(), "203.0.113.1");
  EXPECT_EQ(writer_->sizes()->deferrals_open, 0U);
  write({refusal(61min, "192.0.2.7", "bob@example.net")});
  EXPECT_EQ(deferrals().size(), 2U) << "what comes after the end is another mail";
}

TEST_F(BatchWriterTest, OfTheSameRoundOnlyANewAddressIsNoted) {
  write({refusal(0s, "192.0.2.7", "bob@example.net")});
  write({refusal(10s, "192.0.2.7", "bob@example.net")});
  write({refusal(20s, "192.0.2.8", "bob@example.net")});
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].attempts, std::vector<WallTime>{noon});
  EXPECT_EQ(deferrals()[0].addresses.size(), 2U);
  EXPECT_EQ(number("SELECT count(*) FROM refusals JOIN deferrals ON deferrals.id = "
                   "refusals.deferral"),
            3);
}

TEST_F(BatchWriterTest, WhatWasRemovedBeginsAnew) {
  write({refusal(0s, "192.0.2.7", "bob@example.net")});
  const Retention::Limits short_time{.time = 1min, .bytes_max = 1 << 30, .rows_per_step = 100};
  for (int step = 0; step < 5; ++step)
    ASSERT_TRUE(writer_->expire(short_time, noon + 5min).has_value());
  ASSERT_TRUE(deferrals().empty());
  write({refusal(6min, "192.0.2.7", "bob@example.net")});
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].attempts, std::vector<WallTime>{noon + 6min});
}

TEST_F(BatchWriterTest, OnlyWhatWasRefusedForNowIsADeferral) {
  Refusal for_good = refusal(0s, "192.0.2.7", "bob@example.net");
  for_good.action = "550";
  for_good.reply = "550 5.7.25 Client host rejected";
  Refusal observed = refusal(0s, "192.0.2.8", "bob@example.net");
  observed.effect = Effect::would_refuse;
  Refusal excused = refusal(0s, "192.0.2.9", "bob@example.net");
  excused.effect = Effect::excused;
  write({for_good, observed, excused});
  EXPECT_TRUE(deferrals().empty());
  EXPECT_EQ(number("SELECT count(*) FROM refusals WHERE deferral IS NULL"), 3);
  EXPECT_EQ(number("SELECT sum(refused) FROM clients"), 1);
  EXPECT_EQ(number("SELECT sum(would_refuse) FROM clients"), 1);
}

TEST_F(BatchWriterTest, AnAnswerForGoodEndsADeferral) {
  write({refusal(0s, "192.0.2.7", "bob@example.net")});
  reopen();
  Refusal for_good = refusal(5h, "192.0.2.8", "bob@example.net");
  for_good.action = "550";
  for_good.reply = "550 5.7.25 Client host rejected";
  write({for_good});
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].attempts_count, 1U);
  EXPECT_EQ(deferrals()[0].refused_for_good, noon + 5h);
  EXPECT_EQ(writer_->sizes()->deferrals_open, 0U);
  EXPECT_EQ(number("SELECT count(*) FROM refusals WHERE deferral = 1"), 2);
  reopen();
  EXPECT_EQ(writer_->sizes()->deferrals_open, 0U);
  write({refusal(5h + 5min, "192.0.2.7", "bob@example.net")});
  EXPECT_EQ(deferrals().size(), 2U) << "what comes after the end is another mail";
}

TEST_F(BatchWriterTest, WhatSaidEhloOnceDidSo) {
  Refusal first = refusal(0s, "192.0.2.7", "bob@example.net");
  first.greeting = upstream::Greeting::helo;
  write({first});
  reopen();
  EXPECT_EQ(deferrals()[0].greeting, upstream::Greeting::helo);
  write({refusal(10s, "192.0.2.7", "bob@example.net")});
  Refusal unknown = refusal(10min, "192.0.2.7", "bob@example.net");
  unknown.greeting = upstream::Greeting::unknown;
  write({unknown});
  reopen();
  ASSERT_EQ(deferrals().size(), 1U);
  EXPECT_EQ(deferrals()[0].greeting, upstream::Greeting::ehlo);
}

TEST_F(BatchWriterTest, WhatWasSilentForLongIsNotOpen) {
  write({refusal(0s, "192.0.2.7", "bob@example.net"), refusal(0s, "192.0.2.7", "eve@example.net"),
         refusal(7 * 24h, "192.0.2.7", "carl@example.net")});
  EXPECT_EQ(writer_->sizes()->deferrals_open, 3U);
  const Retention::Limits all{.time = 90 * 24h, .bytes_max = 1 << 30, .rows_per_step = 100};
  ASSERT_TRUE(writer_->expire(all, noon + 8 * 24h + 1s).has_value());
  EXPECT_EQ(writer_->sizes()->deferrals_open, 1U);
}

TEST_F(BatchWriterTest, ClientsAreAddedUp) {
  write({acceptance(0s, "192.0.2.7", "bob@example.net"),
         acceptance(1s, "192.0.2.7", "eve@example.net")});
  Acceptance nameless = acceptance(1h, "192.0.2.7", "bob@example.net");
  nameless.confirmed_name.clear();
  nameless.helo = "other.example.com";
  write({nameless});
  EXPECT_EQ(number("SELECT accepted FROM clients"), 3);
  EXPECT_EQ(number("SELECT last - first FROM clients"), 3'600'000);
  EXPECT_EQ(number("SELECT last_confirmed - first FROM clients"), 1000);
  EXPECT_EQ(number("SELECT count(*) FROM clients WHERE helo = 'other.example.com' AND "
                   "name = 'mail.example.com'"),
            1);
}

TEST_F(BatchWriterTest, ABatchIsWrittenAsAWholeOrNotAtAll) {
  auto other = Database::open(directory_.database(), Database::Access::create);
  ASSERT_TRUE(other->execute("DROP TABLE clients"));
  EXPECT_FALSE(writer_->write(std::vector<Event>{refusal(0s, "192.0.2.7", "bob@example.net")}));
  EXPECT_EQ(number("SELECT count(*) FROM refusals"), 0);
}

TEST_F(BatchWriterTest, AFileThatIsNoDatabaseIsDamaged) {
  writer_.reset();
  std::ofstream(directory_.database()) << std::string(8192, 'x');
  const auto opened = BatchWriter::open(directory_.database(), noon);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().cause, Cause::damaged);
}

TEST_F(BatchWriterTest, AFileThatIsOverwrittenMeanwhileIsDamaged) {
  std::vector<Event> events;
  events.reserve(500);
  for (int i = 0; i < 500; ++i)
    events.emplace_back(refusal(1s * i, "192.0.2.7", std::to_string(i) + "@example.net"));
  write(events);
  reopen();
  write({events.front()});
  ASSERT_TRUE(writer_->expire({}, noon + 1h).has_value());
  {
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(directory_.database()));
    std::fstream file(directory_.database(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(size - 4096, '\xff');
  }
  const auto written = writer_->write(events);
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().cause, Cause::damaged);
}

TEST(OpenDeferrals, WhatWasNotHeardOfForLongestIsForgotten) {
  OpenDeferrals open(40);
  const auto attempt = [](int number) {
    const std::string recipient = std::to_string(number) + "@example.net";
    return OpenDeferrals::keys_of({.time = noon,
                                   .client = *IpAddress::parse("192.0.2.7"),
                                   .helo = "mail.example.com",
                                   .sender = "ann@example.com",
                                   .recipient = recipient});
  };
  const auto any = [](OpenDeferrals::Id) { return true; };
  for (int i = 0; i < 100; ++i) {
    open.add(i, attempt(i));
    EXPECT_EQ(open.find(attempt(i), any), i);
    EXPECT_LE(open.keys(), 45U);
  }
  EXPECT_EQ(open.find(attempt(95), any), 95);
  EXPECT_EQ(open.find(attempt(0), any), std::nullopt);
}

TEST(OpenDeferrals, AnAcceptanceFindsTheNextOneWhenTheNewestHasEnded) {
  OpenDeferrals open(1000);
  Attempt attempt{.time = noon,
                  .client = *IpAddress::parse("192.0.2.7"),
                  .helo = "mail.example.com",
                  .sender = "ann@example.com",
                  .recipient = "bob@example.net"};
  open.add(1, OpenDeferrals::keys_of(attempt));
  attempt.client = *IpAddress::parse("198.51.100.7");
  attempt.helo = "mail.example.org";
  open.add(2, OpenDeferrals::keys_of(attempt));
  attempt.accepted = true;
  EXPECT_EQ(open.find(OpenDeferrals::keys_of(attempt), [](OpenDeferrals::Id) { return true; }), 2);
  EXPECT_EQ(
      open.find(OpenDeferrals::keys_of(attempt), [](OpenDeferrals::Id id) { return id != 2; }), 1);
  attempt.sender = "";
  EXPECT_EQ(open.find(OpenDeferrals::keys_of(attempt), [](OpenDeferrals::Id) { return true; }),
            std::nullopt);
}

}  // namespace
}  // namespace postern::ledger
