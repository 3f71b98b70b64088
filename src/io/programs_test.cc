#include "io/programs.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "io/real/real_programs.h"
#include "io/sim/sim_programs.h"
#include "io/testing/bed.h"

namespace postern::io {
namespace {

using namespace std::chrono_literals;

Task<> run_into(Programs* programs, Programs::Call call, Deadline deadline, Result<int>* result) {
  *result = co_await programs->run(std::move(call), deadline);
}

class RealProgramsTest : public testing::Test {
 protected:
  Result<int> run(Programs::Call call, Duration patience = 30s) {
    Result<int> result;
    EXPECT_TRUE(
        bed_.run(run_into(&programs_, std::move(call), bed_.world().clock.in(patience), &result)));
    return result;
  }
  Result<int> shell(const std::string& script, Duration patience = 30s) {
    return run({{"/bin/sh", "-c", script}, {{"OUT", file()}, {"FACT", "a \"b\" $c"}}}, patience);
  }
  std::string file() { return bed_.local_path() + ".out"; }
  std::string written() {
    std::ostringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }

  RealBed bed_;
  RealPrograms programs_{bed_.world().executor, bed_.world().clock};
};

TEST_F(RealProgramsTest, TellsTheExitStatus) {
  EXPECT_EQ(shell("exit 0"), 0);
  EXPECT_EQ(shell("exit 3"), 3);
}

TEST_F(RealProgramsTest, NoShellReadsTheWords) {
  EXPECT_EQ(run({{"/bin/sh", "-c", "printf %s \"$1\" > \"$OUT\"", "sh", "$(touch /x); `y` *"},
                 {{"OUT", file()}}}),
            0);
  EXPECT_EQ(written(), "$(touch /x); `y` *");
}

TEST_F(RealProgramsTest, StopKillsWhatRuns) {
  const SteadyTime begun = bed_.world().clock.now();
  bed_.world().clock.call_at(begun + 50ms, [this] { programs_.stop(); });
  const Result<int> result = shell("sleep 60");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().what.find("signal 9"), std::string::npos) << result.error().what;
  EXPECT_FALSE(shell("exit 0").has_value()) << "and what comes later";
  EXPECT_LT(bed_.world().clock.now() - begun, 30s);
}

TEST_F(RealProgramsTest, GivesItNothingButWhatIsTold) {
  EXPECT_EQ(shell("{ echo $FACT; pwd; ls /proc/self/fd | wc -l; echo $HOME; } > \"$OUT\""), 0);
  // 0, 1 and 2, and the directory that ls reads.
  EXPECT_EQ(written(), "a \"b\" $c\n/\n4\n\n");
}

TEST_F(RealProgramsTest, TellsWhatWentWrong) {
  const auto missing = run({{"/nowhere/alert"}, {}});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().what, "/nowhere/alert cannot be run: No such file or directory");
  const auto ended = shell("kill -9 $$");
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().what, "/bin/sh was ended by signal 9");
}

TEST_F(RealProgramsTest, KillsAllOfItAtTheDeadline) {
  const auto late = shell("echo $$ > \"$OUT\"; sleep 300 & wait", 1500ms);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().cause, Cause::timed_out);
  const auto leader = written();
  ASSERT_FALSE(leader.empty());
  EXPECT_FALSE(std::filesystem::exists("/proc/" + leader.substr(0, leader.size() - 1)));
}

TEST(SimPrograms, TakesVirtualTime) {
  SimBed bed;
  SimPrograms programs(bed.world().clock);
  programs.takes = 10s;
  Result<int> result;
  EXPECT_TRUE(bed.run(run_into(&programs, {{"/a"}, {}}, bed.world().clock.in(11s), &result)));
  EXPECT_EQ(result, 0);
  EXPECT_TRUE(bed.run(run_into(&programs, {{"/b"}, {}}, bed.world().clock.in(9s), &result)));
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(programs.calls.size(), 2U);
}

}  // namespace
}  // namespace postern::io
