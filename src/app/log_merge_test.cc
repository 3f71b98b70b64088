#include "app/log_merge.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace postern::app {
namespace {

/// A folder with logs, that goes with the test.
class Logs {
 public:
  Logs() { std::filesystem::create_directory(folder_); }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;
  ~Logs() { std::filesystem::remove_all(folder_); }

  /// One line at each of these minutes after noon, of a server named after that. Adds to what is
  /// there.
  void write(const std::string& file, const std::string& server, const std::vector<int>& minutes) {
    std::ofstream log(path(file), std::ios::app);
    for (const int minute : minutes)
      log << fmt::format(
          "2026-11-24T12:{:02}:00Z {}{} postfix/smtpd[1]: connect from x[192.0.2.1]\n", minute,
          server, minute);
  }
  void add(const std::string& file, const std::string& text) {
    std::ofstream(path(file), std::ios::app) << text;
  }
  [[nodiscard]] LogFile file(const std::string& name) const {
    return LogFile::find(path(name), {}).value();
  }
  /// The servers in the order in which their lines come, "?" for what is none of a log's lines.
  [[nodiscard]] std::string merged(const std::vector<std::string>& names) const {
    std::vector<LogFile> files;
    std::uint64_t bytes = 0;
    for (const std::string& name : names) bytes += files.emplace_back(file(name)).bytes;
    LogMerge merge(std::move(files), {});
    std::string servers;
    while (true) {
      const auto entry = merge.next();
      if (!entry) return entry.error().what;
      if (!*entry) break;
      servers += servers.empty() ? "" : " ";
      servers += (*entry)->host.empty() ? "?" : (*entry)->host;
    }
    EXPECT_EQ(merge.bytes_read(), bytes);
    return servers;
  }

 private:
  [[nodiscard]] std::string path(const std::string& file) const { return folder_ + "/" + file; }

  std::string folder_ = fmt::format("{}log-merge-{}", testing::TempDir(), ::getpid());
};

TEST(LogMerge, TwoServersAndTheirRotatedFilesInTheOrderOfTime) {
  Logs logs;
  logs.write("mx1.1", "A", {0, 10});
  logs.write("mx1", "A", {10, 30});
  logs.write("mx2.1", "B", {5});
  logs.write("mx2", "B", {20, 40});
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"mx1", "mx1.1", "mx2", "mx2.1"}, {"mx2.1", "mx2", "mx1.1", "mx1"}})
    EXPECT_EQ(logs.merged(names), "A0 B5 A10 A10 B20 A30 B40");
}

TEST(LogMerge, LinesOfNoTimeStayWithTheirNeighbours) {
  Logs logs;
  logs.add("mx1", "what is this\n");
  logs.write("mx1", "A", {1, 9});
  logs.add("mx1", "and this\n");
  logs.write("mx1", "A", {12});
  logs.write("mx2", "B", {5, 10});
  logs.add("empty", "");
  EXPECT_EQ(logs.merged({"mx1", "mx2", "empty"}), "? A1 B5 A9 ? B10 A12");
}

TEST(LogMerge, FilesThatFollowEachOtherMayBeMany) {
  Logs logs;
  std::vector<std::string> names;
  std::string wanted;
  for (std::size_t i = 0; i < LogMerge::open_max + 10; ++i) {
    names.push_back(fmt::format("day-{}", i));
    logs.add(names.back(), fmt::format("2026-11-24T{:02}:{:02}:00Z A{} postfix/smtpd[1]: x\n",
                                       i / 60, i % 60, i));
    wanted += fmt::format("{}A{}", i == 0 ? "" : " ", i);
  }
  EXPECT_EQ(logs.merged(names), wanted);
  for (const std::string& name : names) logs.write(name, "B", {59});
  EXPECT_EQ(logs.merged(names).substr(0, 14), "more than 256 ");
}

TEST(LogLines, LongLinesAreCutAndTheLastNeedsNoEnd) {
  Logs logs;
  const std::string longest(LogLines::line_bytes_max, 'x');
  logs.add("log", longest + "\r\n" + longest + "y\n" + std::string(300'000, 'z') + "\n\nlast");
  auto lines = LogLines::open(logs.file("log")).value();
  std::vector<std::string> read;
  while (const auto line = lines.next().value()) read.emplace_back(*line);
  EXPECT_EQ(read, (std::vector<std::string>{
                      longest, longest, std::string(LogLines::line_bytes_max, 'z'), "", "last"}));
}

}  // namespace
}  // namespace postern::app
