// The queue on RocksDB itself: power failures at any operation, failing syncs, a full disk, rot.
// POSTERN_STORE_SEEDS=COUNT sets how many courses are run.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "life.h"

namespace postern::store_test {
namespace {

constexpr int lives_per_course = 5;

std::uint64_t courses() {
  const char* given = std::getenv("POSTERN_STORE_SEEDS");
  return given == nullptr ? 6 : std::strtoull(given, nullptr, 10);
}

void expect_nothing_wrong(Lives& lives, Lives::Damage damage, std::uint64_t seed) {
  for (const std::string& wrong : lives.settle(damage))
    ADD_FAILURE() << "seed " << seed << ": " << wrong;
}

Duration some_time(SplitMix64& dice) {
  return std::chrono::milliseconds(20 + dice.below(400));
}

TEST(RealStore, PowerFailsAtAnyOperation) {
  std::uint64_t failed_while_starting = 0;
  std::uint64_t operations = 0;
  for (std::uint64_t seed = 0; seed < courses(); ++seed) {
    Lives lives(seed);
    for (int life = 0; life < lives_per_course; ++life) {
      // Sometimes within the start, mostly within the work.
      lives.files.stop_after(1 + lives.dice.below(life == 2 ? 30 : 1500));
      const Result<> begun = lives.begin();
      if (begun)
        lives.work(some_time(lives.dice));
      else
        ++failed_while_starting;
      lives.end(io::CrashKind::power);
      const Result<> again = lives.begin();
      ASSERT_TRUE(again) << "seed " << seed << " life " << life << ": " << again.error().what;
      expect_nothing_wrong(lives, Lives::Damage::none, seed);
      lives.end(io::CrashKind::process);
    }
    operations += lives.files.operations();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(failed_while_starting, 0U);
  EXPECT_GT(operations, 1000U * courses());
}

TEST(RealStore, ZerosAtTheEndOfTheLogAreTakenForItsEndOrToldOf) {
  for (std::uint64_t seed = 300; seed < 300 + courses(); ++seed) {
    Lives lives(seed);
    lives.files.stop_after(20 + lives.dice.below(300));
    if (lives.begin()) lives.work(some_time(lives.dice));
    lives.end(io::CrashKind::power, FaultyFileSystem::Tail::zeros);
    const Result<> again = lives.begin();
    if (again)
      expect_nothing_wrong(lives, Lives::Damage::none, seed);
    else
      EXPECT_EQ(again.error().cause, Cause::damaged) << again.error().what;
  }
}

TEST(RealStore, SyncsAndWritesFailWhileItWorks) {
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 100; seed < 100 + courses(); ++seed) {
    Lives lives(seed);
    ASSERT_TRUE(lives.begin());
    for (int life = 0; life < lives_per_course; ++life) {
      using Operation = FaultyFileSystem::Operation;
      const bool full = lives.dice.below(3) == 0;
      const Operation operation = full                       ? Operation::append
                                  : lives.dice.below(2) == 0 ? Operation::sync
                                                             : Operation::any;
      lives.files.fail(operation,
                       full ? FaultyFileSystem::Fault::no_space : FaultyFileSystem::Fault::io_error,
                       1 + lives.dice.below(100), 1 + lives.dice.below(full ? 60 : 3));
      lives.work(some_time(lives.dice));
      failed += lives.files.failed();
      lives.files.heal();
      // It goes on by itself, in the same life: what is sent now is taken.
      const auto before = std::ranges::count_if(
          lives.promises, [](const auto& entry) { return entry.second.acknowledged; });
      lives.work(std::chrono::milliseconds(1200));
      EXPECT_GT(std::ranges::count_if(lives.promises,
                                      [](const auto& entry) { return entry.second.acknowledged; }),
                before)
          << "seed " << seed << ": nothing is taken after the disk is well again";
      lives.end(lives.dice.below(2) == 0 ? io::CrashKind::power : io::CrashKind::process);
      const Result<> again = lives.begin();
      ASSERT_TRUE(again) << "seed " << seed << ": " << again.error().what;
      expect_nothing_wrong(lives, Lives::Damage::none, seed);
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(failed, courses());
}

/// A file of the database with this ending, by chance; empty when there is none.
std::string some_file(Lives& lives, const std::string& ending) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(lives.database()))
    if (entry.path().extension() == ending && std::filesystem::file_size(entry) > 0)
      found.push_back(entry.path().string());
  std::ranges::sort(found);
  return found.empty() ? "" : found[lives.dice.below(found.size())];
}

void flip_a_bit(const std::string& path, SplitMix64& dice) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(dice.below(std::filesystem::file_size(path)));
  file.seekg(at);
  const char byte = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(byte ^ static_cast<char>(1U << dice.below(8))));
}

TEST(RealStore, ABitThatRotsIsToldOfAndTakesNoMoreThanItsBlock) {
  std::uint64_t told = 0;
  std::uint64_t refused_to_start = 0;
  for (std::uint64_t seed = 200; seed < 200 + 2 * courses(); ++seed) {
    Lives lives(seed);
    ASSERT_TRUE(lives.begin());
    lives.work(std::chrono::milliseconds(400));
    ASSERT_TRUE(lives.flush());
    lives.end(io::CrashKind::process);
    const std::string path = some_file(lives, lives.dice.below(4) == 0 ? ".log" : ".sst");
    if (path.empty()) continue;
    flip_a_bit(path, lives.dice);
    const Result<> begun = lives.begin();
    if (!begun) {
      EXPECT_EQ(begun.error().cause, Cause::damaged) << begun.error().what;
      ++refused_to_start;
      continue;
    }
    expect_nothing_wrong(lives, Lives::Damage::made, seed);
    told += lives.log.troubles.empty() ? 0 : 1;
  }
  EXPECT_GT(told + refused_to_start, 0U);
}

}  // namespace
}  // namespace postern::store_test
