#include "app/log_sink.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>

namespace postern::app {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// A clock that the test moves.
class HandClock final : public io::Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return now_; }
  [[nodiscard]] WallTime wall_now() const override {
    return WallTime(1795490753123ms) + now_.time_since_epoch();
  }
  TimerId call_at(SteadyTime time, std::move_only_function<void()> f) override {
    timers_.emplace(std::pair(time, ++last_), std::move(f));
    return last_;
  }
  void cancel(TimerId id) override {
    std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
  }
  void advance(Duration by) {
    const SteadyTime until = now_ + by;
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
      auto timer = timers_.extract(timers_.begin());
      now_ = timer.key().first;
      timer.mapped()();
    }
    now_ = until;
  }

 private:
  SteadyTime now_{};
  TimerId last_ = 0;
  std::map<std::pair<SteadyTime, TimerId>, std::move_only_function<void()>> timers_;
};

std::string text_of(std::string_view value) {
  const std::array fields{LogField("v", value)};
  return format_text({WallTime{}, Severity::info, "e", fields})
      .substr(sizeof("1970-01-01T00:00:00.000Z"));
}

bool is_json_object(const std::string& text) {
  boost::json::error_code error;
  return boost::json::parse(text, error).is_object() && !error;
}

std::string json_of(std::string_view value) {
  const std::array fields{LogField("v", value)};
  return format_json({WallTime{}, Severity::info, "e", fields});
}

struct ValueCase {
  const char* reason;
  std::string_view value;
  const char* text;
  const char* json;
};

const ValueCase value_cases[] = {
    {"plain", "192.0.2.7", "192.0.2.7", "\"192.0.2.7\""},
    {"empty", "", "\"\"", "\"\""},
    {"space", "a b", "\"a b\"", "\"a b\""},
    {"quote", "a\"b", R"("a\"b")", R"("a\"b")"},
    {"backslash", "a\\b", R"("a\\b")", R"("a\\b")"},
    {"equals sign could look like another key", "a=b", "\"a=b\"", "\"a=b\""},
    {"a forged second line", "x\r\n1970 info y", R"("x\x0d\n1970 info y")",
     R"("x\u000d\u000a1970 info y")"},
    {"NUL", std::string_view("a\0b", 3), R"("a\x00b")", R"("a\u0000b")"},
    {"terminal escape", "\x1b[2J", R"("\x1b[2J")", R"("\u001b[2J")"},
    {"DEL", "\x7f", R"("\x7f")", R"("\u007f")"},
    {"valid UTF-8", "b\xc3\xbc", "\"b\xc3\xbc\"", "\"b\xc3\xbc\""},
    {"C1 control",
     "\xc2\x9b"
     "2J",
     "\"\\u{9b}2J\"", "\"\\u009b2J\""},
    {"right-to-left override", "\xe2\x80\xae", "\"\\u{202e}\"", "\"\\u202e\""},
    {"invalid byte", "\xff", "\"\xef\xbf\xbd\"", "\"\xef\xbf\xbd\""},
    {"cut-off sequence", "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"overlong slash", "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

TEST(LogFormat, EscapesValues) {
  for (const ValueCase& c : value_cases) {
    EXPECT_EQ(text_of(c.value), "info e v=" + std::string(c.text)) << c.reason;
    EXPECT_THAT(json_of(c.value), EndsWith("\"v\":" + std::string(c.json) + "}")) << c.reason;
  }
}

TEST(LogFormat, AnyBytesAreValidJsonOfOneLine) {
  std::uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string value;
    for (int i = 0; i < 40; ++i) {
      state = state * 1664525 + 1013904223;
      value += static_cast<char>(state >> 24);
    }
    const std::string line = json_of(value);
    EXPECT_TRUE(is_json_object(line)) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST(LogFormat, BoundsValuesWithoutCuttingACharacter) {
  EXPECT_EQ(text_of(std::string(5000, 'a')), "info e v=" + std::string(400, 'a') + "...");
  const std::string wide = std::string(399, 'a') + "\xc3\xbc";
  EXPECT_EQ(text_of(wide), "info e v=\"" + std::string(399, 'a') + "...\"");
  EXPECT_EQ(format_raw(std::string(5000, 'a')), std::string(1000, 'a') + "...");
}

TEST(LogFormat, OtherTypes) {
  const std::array fields{LogField("n", -5), LogField("d", 0.5), LogField("b", true),
                          LogField("x", std::nan(""))};
  const LogLine line{WallTime(1795490753123ms), Severity::warning, "e", fields};
  EXPECT_EQ(format_text(line), "2026-11-24T03:25:53.123Z warning e n=-5 d=0.5 b=yes x=nan");
  EXPECT_EQ(format_json(line),
            R"({"time":"2026-11-24T03:25:53.123Z","severity":"warning","event":"e",)"
            R"("n":-5,"d":0.5,"b":true,"x":null})");
}

class LogSinkTest : public testing::Test {
 protected:
  LogSinkTest() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    options_.target = directory_ + "/log";
  }
  ~LogSinkTest() override { std::filesystem::remove_all(directory_); }
  static std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::unique_ptr<LogSink> opened() {
    auto sink = LogSink::open(options_, clock_);
    EXPECT_TRUE(sink.has_value());
    return std::move(*sink);
  }

  std::string directory_ = testing::TempDir() + "postern_log_" + std::to_string(getpid()) +
                           testing::UnitTest::GetInstance()->current_test_info()->name();
  LogOptions options_;
  HandClock clock_;
};

TEST_F(LogSinkTest, WritesLinesOfItsSeverityAndAbove) {
  auto sink = opened();
  sink->line(Severity::debug, "quiet", {});
  sink->line(Severity::info, "refused", {{"client", "192.0.2.7"}});
  sink->raw(Severity::info, "postfix/smtpd[1]: NOQUEUE: reject\nforged");
  sink.reset();
  EXPECT_THAT(lines_of(options_.target),
              ElementsAre("2026-11-24T03:25:53.123Z info refused client=192.0.2.7",
                          "postfix/smtpd[1]: NOQUEUE: reject\\nforged"));
}

TEST_F(LogSinkTest, SuppressesAndSummarises) {
  options_.lines_per_second_max = 3;
  auto sink = opened();
  for (int i = 0; i < 10; ++i) sink->line(Severity::info, "refused", {{"i", i}});
  sink->line(Severity::info, "accepted", {});
  EXPECT_EQ(sink->counts().suppressed, 7U);
  clock_.advance(1500ms);
  sink->line(Severity::info, "refused", {{"i", 10}});
  sink.reset();
  EXPECT_THAT(
      lines_of(options_.target),
      ElementsAre(EndsWith("refused i=0"), EndsWith("i=1"), EndsWith("i=2"), EndsWith("accepted"),
                  EndsWith(":54.123Z warning log_suppressed of=refused suppressed=7"),
                  EndsWith("refused i=10")));
}

TEST_F(LogSinkTest, TellsWhatItSuppressedWhenItEnds) {
  options_.lines_per_second_max = 1;
  auto sink = opened();
  sink->line(Severity::info, "refused", {});
  sink->line(Severity::info, "refused", {});
  sink.reset();
  EXPECT_THAT(lines_of(options_.target),
              ElementsAre(EndsWith("info refused"), EndsWith("of=refused suppressed=1")));
}

TEST_F(LogSinkTest, ReopensAfterTheFileWasRenamed) {
  auto sink = opened();
  sink->line(Severity::info, "before", {});
  std::filesystem::rename(options_.target, options_.target + ".1");
  options_.format = LogFormat::json;
  ASSERT_TRUE(sink->reopen(options_).has_value());
  sink->line(Severity::info, "after", {});
  sink.reset();
  EXPECT_THAT(lines_of(options_.target + ".1"), ElementsAre(EndsWith("before")));
  EXPECT_THAT(lines_of(options_.target), ElementsAre(EndsWith("\"event\":\"after\"}")));
}

TEST_F(LogSinkTest, KeepsTheOldTargetWhenTheNewCannotBeOpened) {
  auto sink = opened();
  LogOptions wrong = options_;
  wrong.target = "/proc/nonexistent/log";
  const auto reopened = sink->reopen(wrong);
  ASSERT_FALSE(reopened.has_value());
  EXPECT_EQ(reopened.error().blame, Blame::operator_);
  EXPECT_THAT(reopened.error().what, HasSubstr("[log] target"));
  sink->line(Severity::info, "still", {});
  sink.reset();
  EXPECT_THAT(lines_of(options_.target), ElementsAre(EndsWith("still")));
}

TEST_F(LogSinkTest, AFullDiskIsCountedAndHarmless) {
  options_.target = "/dev/full";
  auto sink = opened();
  for (int i = 0; i < 3; ++i) sink->line(Severity::info, "refused", {});
  options_.target = directory_ + "/log";
  // Opening another target waits until the first has taken its lines.
  ASSERT_TRUE(sink->reopen(options_).has_value());
  EXPECT_GE(sink->counts().failed, 2U);
  EXPECT_EQ(sink->counts().lost, 0U);
  sink->line(Severity::info, "after", {});
  sink.reset();
  EXPECT_THAT(lines_of(options_.target), ElementsAre(EndsWith("after")));
}

// A FIFO that nobody reads after it is full stands for a stuck reader of standard error.
TEST_F(LogSinkTest, ASlowTargetLosesLinesAndNeverBlocks) {
  ASSERT_EQ(mkfifo(options_.target.c_str(), 0600), 0);
  std::fstream reader(options_.target, std::ios::in | std::ios::out);
  options_.lines_per_second_max = 1'000'000;
  options_.lines_waiting_max = 100;
  auto sink = opened();
  const std::string value(300, 'x');
  for (int i = 0; i < 2000; ++i) sink->line(Severity::info, "refused", {{"v", value}});
  EXPECT_GT(sink->counts().lost, 1000U);
  // Once everything that was taken has been read there is room again, and the next line tells the
  // rest of the losses (some were told when the first lines had left).
  const std::uint64_t lost = sink->counts().lost;
  std::uint64_t seen = 0;
  std::uint64_t told = 0;
  const auto read_line = [&] {
    std::string line;
    std::getline(reader, line);
    const auto at = line.find("log_lost lost=");
    if (at != std::string::npos) told += std::stoull(line.substr(line.find('=', at) + 1));
    if (line.find(" refused ") != std::string::npos) ++seen;
  };
  while (seen < 2000 - lost) read_line();
  sink->line(Severity::info, "next", {});
  while (told < lost) read_line();
  EXPECT_EQ(told, lost);
}

}  // namespace
}  // namespace postern::app
