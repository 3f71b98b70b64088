#include "ledger/case_id.h"

#include <gtest/gtest.h>

namespace postern::ledger {
namespace {

TEST(CaseId, IsFoundInWhatPeopleType) {
  struct Case {
    const char* reason;
    const char* typed;
    std::vector<std::string> meant;
  };
  const std::vector<Case> cases = {
      {"as it stands in the reply", "4F7KQ2", {"4F7KQ2"}},
      {"lower case", "4f7kq2", {"4F7KQ2"}},
      {"with the word", "case 4F7KQ2", {"4F7KQ2"}},
      {"with brackets, as copied", "(case 4F7KQ2)", {"4F7KQ2"}},
      {"with a colon", "Case: 4f7kq2.", {"4F7KQ2"}},
      {"an id that begins with the word", "CASE23", {"CASE23"}},
      {"an id that is the word", "case", {"CASE"}},
      {"zero for Q", "4F70", {"4F70", "4F7O", "4F7Q", "4F7D"}},
      {"one for L", "1A", {"1A", "IA", "LA", "JA"}},
      {"nothing", "", {}},
      {"only the noise", "()", {}},
      {"an address", "ann@example.com", {}},
      {"letters of another alphabet", "4F7K\xc3\x9c", {}},
      {"too long", "ABCDEFGHABCDEFGHX", {}},
  };
  for (const Case& c : cases) EXPECT_EQ(case_ids_meant(c.typed), c.meant) << c.reason;
}

TEST(CaseId, DoubtIsBounded) {
  const auto meant = case_ids_meant("OOOOOOOOOOOOOOOO");
  EXPECT_EQ(meant.size(), case_ids_meant_max);
  EXPECT_EQ(meant.front(), "OOOOOOOOOOOOOOOO") << "as typed comes first";
}

}  // namespace
}  // namespace postern::ledger
