#include "app/top_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::app {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Everything as large as it gets.
TopFigures crowded() {
  TopFigures figures;
  figures.hostname = std::string(120, 'h');
  figures.version = "0.1.0";
  figures.mode = "enforce";
  figures.uptime_seconds = 1e8;
  figures.sessions = figures.connections_rate = 123456789;
  for (const char* name : {"2xx", "3xx", "4xx", "5xx", "accepted", "unknown_ip", "relay_denied"})
    figures.replies[name] = figures.recipients[name] = figures.messages[name] = 123456.7;
  for (const char* name :
       {"pass", "no_ptr", "bad_name", "no_forward", "mismatch", "temperror", "skipped"})
    figures.states.push_back({name, 123456.7, 1234567890123});
  for (const char* name : {"address check", "DNS lookup", "wait at RCPT", "delivery"})
    figures.latencies.push_back({name, 5, 0.0123, 0.9, 9.99});
  for (int i = 0; i < 30; ++i) {
    figures.clients.push_back({"2001:db8:1234:5678:9abc:def0:1234:5678", "temperror", 999999999});
    figures.causes.push_back({"", "a cause with a long name indeed", 999999999});
  }
  figures.troubles = {std::string(300, 't'), "another"};
  return figures;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

TEST(TopScreen, FitsEveryTerminalWhateverIsInIt) {
  for (const TerminalSize size :
       {TerminalSize{80, 24}, TerminalSize{80, 40}, TerminalSize{200, 60}, TerminalSize{40, 10}})
    for (const TopFigures& figures : {TopFigures(), crowded()}) {
      const auto lines = lines_of(draw_top(figures, size, false));
      EXPECT_LE(lines.size(), size.rows);
      for (const std::string& line : lines) EXPECT_LE(line.size(), size.columns) << line;
    }
}

TEST(TopScreen, ShowsAsManyRefusedClientsAsFit) {
  EXPECT_EQ(lines_of(draw_top(crowded(), {80, 24}, false)).size(), 24U);
  EXPECT_EQ(lines_of(draw_top(crowded(), {80, 34}, false)).size(), 34U);
  TopFigures quiet;
  EXPECT_THAT(draw_top(quiet, {80, 24}, false), HasSubstr("nobody"));
}

TEST(TopScreen, ColoursOnlyWhenTheyAreWanted) {
  EXPECT_THAT(draw_top(crowded(), {}, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(draw_top(crowded(), {}, true), HasSubstr("\x1b[31m"));
}

TEST(TopScreen, TellsWhatIsWrong) {
  TopFigures figures;
  figures.ready = true;
  EXPECT_THAT(draw_top(figures, {}, false), HasSubstr("\nready\n"));
  figures.troubles = {"look at it"};
  EXPECT_THAT(draw_top(figures, {}, false), HasSubstr("ready, but: look at it\n"));
  figures.ready = false;
  figures.troubles.emplace_back("and here");
  EXPECT_THAT(draw_top(figures, {}, false),
              HasSubstr("NOT READY (2 things, see `postern status`): look at it\n"));
}

TEST(TopScreen, Numbers) {
  const std::vector<std::pair<double, std::string>> counts = {
      {0, "0"},          {9999, "9999"},  {10'000, "10.0k"}, {999'400, "999.4k"},
      {999'600, "1.0M"}, {5.5e9, "5.5G"}, {2e12, "2.0T"},    {3e15, "3P"}};
  for (const auto& [count, text] : counts) EXPECT_EQ(count_text(count), text);
  const std::vector<std::pair<std::optional<double>, std::string>> latencies = {
      {std::nullopt, "-"}, {0.00025, "0.2ms"}, {0.0123, "12.3ms"},
      {0.25, "250ms"},     {0.9996, "1.0s"},   {12.34, "12.3s"}};
  for (const auto& [seconds, text] : latencies) EXPECT_EQ(latency_text(seconds), text);
}

}  // namespace
}  // namespace postern::app
