#include "ledger/schema.h"

#include <gtest/gtest.h>

namespace postern::ledger {
namespace {

Database memory() {
  auto database = Database::open(std::string(Database::in_memory), Database::Access::create);
  EXPECT_TRUE(database.has_value());
  return *std::move(database);
}

std::int64_t number(Database& database, std::string_view sql) {
  const auto value = database.number(sql);
  EXPECT_TRUE(value.has_value()) << (value ? "" : value.error().what);
  return value.value_or(-1);
}

constexpr std::string_view add_column = "ALTER TABLE clients ADD COLUMN country TEXT";
const std::array<std::string_view, 2> later_steps{schema_steps[0], add_column};

TEST(Schema, AnEmptyFileBecomesTheCurrentVersion) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(read_schema_version(database), schema_version);
  ASSERT_TRUE(migrate(database)) << "once more, for nothing";
  EXPECT_EQ(number(database, "SELECT count(*) FROM refusals"), 0);
}

TEST(Schema, AnOlderFileKeepsWhatIsInIt) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  ASSERT_TRUE(
      database.execute("INSERT INTO clients VALUES (x'00', 1, 2, 'helo', '', NULL, 3, 4, 5)"));
  ASSERT_TRUE(migrate(database, later_steps));
  EXPECT_EQ(number(database, "PRAGMA user_version"), 2);
  EXPECT_EQ(number(database, "SELECT accepted FROM clients WHERE country IS NULL"), 3);
}

TEST(Schema, AStepThatFailsLeavesTheOlderVersion) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  const std::array<std::string_view, 2> broken{
      schema_steps[0], "ALTER TABLE clients ADD COLUMN country TEXT; CREATE TABLE clients (a)"};
  EXPECT_FALSE(migrate(database, broken));
  EXPECT_EQ(number(database, "PRAGMA user_version"), 1);
  ASSERT_TRUE(migrate(database, later_steps)) << "the column was not added";
}

TEST(Schema, ANewerFileIsLeftAlone) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  ASSERT_TRUE(database.execute("PRAGMA user_version = 99"));
  const auto migrated = migrate(database);
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().blame, Blame::operator_);
  EXPECT_EQ(number(database, "PRAGMA user_version"), 99);
}

TEST(Schema, AnotherProgramsFileIsNoLedger) {
  Database database = memory();
  ASSERT_TRUE(database.execute("CREATE TABLE bookmarks (url TEXT)"));
  const auto migrated = migrate(database);
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().cause, Cause::damaged);
}

TEST(Sqlite, ValuesComeBackAsTheyWere) {
  Database database = memory();
  ASSERT_TRUE(database.execute("CREATE TABLE t (a, b, c, d, e, f)"));
  auto insert = database.prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)");
  ASSERT_TRUE(insert.has_value());
  const WallTime time{std::chrono::milliseconds(1'800'000'000'123)};
  const IpAddress address = *IpAddress::parse("192.0.2.7");
  const std::string zeros("a\0b", 3);
  ASSERT_TRUE(insert->bind(-5, zeros, Statement::Blob{zeros}, time, address, std::nullopt).run());
  auto select = database.prepare("SELECT * FROM t");
  ASSERT_TRUE(select.has_value());
  ASSERT_TRUE(select->step().value_or(false));
  EXPECT_EQ(select->integer(0), -5);
  EXPECT_EQ(select->text(1), zeros);
  EXPECT_EQ(select->blob(2), zeros);
  EXPECT_EQ(select->time(3), time);
  EXPECT_EQ(select->address(4), address);
  EXPECT_TRUE(select->is_null(5));
}

TEST(Sqlite, WhatIsNotCommittedIsUndone) {
  Database database = memory();
  ASSERT_TRUE(database.execute("CREATE TABLE t (a)"));
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction.has_value());
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
  }
  EXPECT_EQ(number(database, "SELECT count(*) FROM t"), 0);
}

TEST(Sqlite, AMissingFileIsNotFound) {
  const auto database = Database::open("/nonexistent/ledger.db", Database::Access::read_only);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().cause, Cause::not_found);
}

}  // namespace
}  // namespace postern::ledger
