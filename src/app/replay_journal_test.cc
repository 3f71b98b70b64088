#include "app/replay_journal.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace postern::app {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

class ReplayJournalTest : public testing::Test {
 protected:
  ~ReplayJournalTest() override { std::filesystem::remove(path_); }

  void write(std::string_view text) const { std::ofstream(path_, std::ios::app) << text; }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string path_ = testing::TempDir() + "replay-journal-" + std::to_string(::getpid());
};

auth::Iprev lookups(std::string_view client) {
  auth::Iprev iprev;
  iprev.address = *IpAddress::parse(client);
  iprev.ptr_status = dns::Status::ok;
  iprev.ptr_count = 1;
  auth::IprevName& name = iprev.names.emplace_back();
  name.name = "mail.example.com";
  name.usable = true;
  name.status = dns::Status::ok;
  name.addresses.push_back(*IpAddress::parse("192.0.2.99"));
  return iprev;
}

TEST_F(ReplayJournalTest, KnowsForADayWhatWasLookedUp) {
  {
    auto journal = ReplayJournal::open(path_, noon).value();
    EXPECT_TRUE(journal.known().empty());
    journal.write(lookups("192.0.2.1"), noon - 25h);
    journal.write(lookups("192.0.2.2"), noon - 23h);
    EXPECT_TRUE(journal.end());
  }
  write("{\"client\":\"192.0.2.3\",\"at\":1795");  // interrupted
  const auto journal = ReplayJournal::open(path_, noon).value();
  ASSERT_EQ(journal.known().size(), 1U);
  const auth::Iprev& known = journal.known().at(*IpAddress::parse("192.0.2.2"));
  EXPECT_EQ(known.names.at(0).addresses, lookups("192.0.2.2").names[0].addresses);
}

TEST_F(ReplayJournalTest, AnotherFileStaysAsItIs) {
  write("Nov 24 06:00:01 gw postfix/smtpd[1]: connect from unknown[192.0.2.1]\n");
  const std::string before = text();
  const auto refused = ReplayJournal::open(path_, noon);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("is another file than a journal"));
  EXPECT_EQ(text(), before);
}

TEST_F(ReplayJournalTest, WhatAnOlderPosternMadeOfLookupsIsNoLookup) {
  write("{\"client\":\"192.0.2.2\",\"at\":" + std::to_string(noon.time_since_epoch() / 1s) +
        ",\"state\":\"no_ptr\",\"cause\":\"no PTR record\",\"refused\":true}\n");
  const auto journal = ReplayJournal::open(path_, noon);
  ASSERT_TRUE(journal.has_value());
  EXPECT_TRUE(journal->known().empty());
}

}  // namespace
}  // namespace postern::app
