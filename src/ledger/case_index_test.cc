#include "ledger/case_index.h"

#include <gtest/gtest.h>

#include "ledger/schema.h"

namespace postern::ledger {
namespace {

std::string some_case(std::int64_t id) {
  return "C" + std::to_string(id);
}

class CaseIndexTest : public testing::Test {
 protected:
  CaseIndexTest() { EXPECT_TRUE(migrate(database_)); }

  /// As one batch of a writer that has opened the file.
  void write(std::int64_t first, std::int64_t count) {
    CaseIndex index;
    ASSERT_TRUE(index.prepare(database_, first - 1));
    for (std::int64_t id = first; id < first + count; ++id) ASSERT_TRUE(index.add(some_case(id)));
    ASSERT_TRUE(index.write());
  }
  std::vector<std::int64_t> find(std::string_view case_id) {
    auto rows = database_.prepare(case_index_query);
    EXPECT_TRUE(rows.has_value());
    CaseSearch search(case_id);
    while (rows->step().value_or(false)) search.look_at(rows->integer(0), rows->blob(1));
    return std::move(search).found();
  }
  std::int64_t parts() { return database_.number("SELECT count(*) FROM case_index").value_or(-1); }

  Database database_ = *Database::open(std::string(Database::in_memory), Database::Access::create);
};

using Ids = std::vector<std::int64_t>;

TEST_F(CaseIndexTest, EachRefusalIsFoundByItsCase) {
  constexpr auto part = static_cast<std::int64_t>(CaseIndex::part_max);
  write(1, 3);
  write(4, 3 * part);
  EXPECT_EQ(parts(), 4) << "what was not full goes on";
  for (std::int64_t id = 1; id < 4 + 3 * part; ++id) EXPECT_EQ(find(some_case(id)), Ids{id});
  EXPECT_EQ(find("nobody's"), Ids{});
}

TEST_F(CaseIndexTest, RefusalsOfOneCaseAreAllFound) {
  CaseIndex index;
  ASSERT_TRUE(index.prepare(database_, 0));
  for (const char* case_id : {"4F7KQ2", "4F7KQ2", "ZZZZZZ", "4F7KQ2"})
    ASSERT_TRUE(index.add(case_id));
  ASSERT_TRUE(index.write());
  EXPECT_EQ(find("4F7KQ2"), (Ids{1, 2, 4}));
}

// The file of a writer that began again from fewer refusals, after all were removed.
TEST_F(CaseIndexTest, WhatWasRemovedDoesNotHideWhatIsNew) {
  write(2001, 10);
  write(1, 5);
  write(6, 5);
  EXPECT_EQ(parts(), 2) << "not one for each start";
  for (std::int64_t id = 1; id <= 10; ++id) EXPECT_EQ(find(some_case(id)), Ids{id});
  write(2001, 1);
  EXPECT_EQ(find(some_case(2001)), Ids{2001});
}

TEST_F(CaseIndexTest, APartThatDoesNotReachToTheLastRefusalStaysAsItIs) {
  write(1, 3);
  write(10, 2);
  EXPECT_EQ(find(some_case(3)), Ids{3});
  EXPECT_EQ(find(some_case(10)), Ids{10});
  ASSERT_TRUE(database_.execute("UPDATE case_index SET sums = x'0102030405' WHERE first = 10"));
  write(12, 1);
  EXPECT_EQ(find(some_case(12)), Ids{12});
}

TEST_F(CaseIndexTest, WhatHasNoSuchFormIsPassedOver) {
  CaseSearch search("4F7KQ2");
  for (const std::string_view sums : {"", "a", "abc", "abcdefg"}) search.look_at(1, sums);
  EXPECT_EQ(std::move(search).found(), Ids{});
}

}  // namespace
}  // namespace postern::ledger
