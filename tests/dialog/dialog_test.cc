#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

#include "stage.h"
#include "support/source_path.h"

namespace postern::dialog {
namespace {

std::vector<std::string> dialog_files() {
  std::vector<std::string> files;
  const std::filesystem::path folder = source_path("tests/dialog");
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".dlg") files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class Dialog : public testing::TestWithParam<std::string> {};

TEST_P(Dialog, GoesAsWritten) {
  auto script = read_script(GetParam());
  ASSERT_TRUE(script) << script.error().what;
  Stage stage(*std::move(script));
  for (const std::string& failure : stage.play()) ADD_FAILURE() << failure;
}

INSTANTIATE_TEST_SUITE_P(All, Dialog, testing::ValuesIn(dialog_files()), test_name);

TEST(Dialogs, AreFound) {
  EXPECT_GE(dialog_files().size(), 30U);
}

/// A play that can go wrong in no way proves nothing.
TEST(Dialogs, NoticeWhatIsNotWritten) {
  struct Case {
    std::string_view what;
    std::vector<Line> play;
  };
  const Line connect{1, "connect", "192.0.2.7"};
  const Line greeting{2, "S~", "220 .*"};
  const Line lookup{3, "query", "7.2.0.192.in-addr.arpa ptr"};
  const std::vector<Case> cases{
      {"a line left over", {connect, lookup}},
      {"another line than expected", {connect, {2, "S:", "220 other"}, lookup}},
      {"a query left over", {connect, greeting}},
      {"a query that was not asked", {connect, greeting, lookup, lookup}},
      {"no end of the connection", {connect, greeting, lookup, {4, "closed", ""}, lookup}},
      {"a message that there is not", {connect, greeting, lookup, {4, "messages", "1"}}},
      {"a log line that there is not", {connect, greeting, lookup, {4, "log~", "nothing"}}},
  };
  for (const Case& c : cases) {
    Script script;
    script.play = c.play;
    Stage stage(std::move(script));
    EXPECT_FALSE(stage.play().empty()) << c.what;
  }
  Script right;
  right.play = {connect, greeting, lookup};
  Stage stage(std::move(right));
  EXPECT_TRUE(stage.play().empty());
}

}  // namespace
}  // namespace postern::dialog
