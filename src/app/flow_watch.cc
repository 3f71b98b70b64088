#include "app/flow_watch.h"

#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>

#include "app/terminal.h"
#include "io/real/shard.h"
#include "lab/screen.h"

namespace postern::app {
namespace {

constexpr int frames_per_second = 10;
constexpr Duration frame_time = std::chrono::milliseconds(1000 / frames_per_second);
constexpr Duration watch_time_max = std::chrono::hours(24);

constexpr std::string_view clear_screen = "\x1b[2J";
constexpr std::string_view home = "\x1b[H";
constexpr std::string_view to_line_end = "\x1b[K\n";
constexpr std::string_view to_screen_end = "\x1b[J";

lab::ScreenSize screen_size() {
  const lab::ScreenSize unknown;
  const TerminalSize size = terminal_size({unknown.columns, unknown.rows});
  return {.columns = size.columns, .rows = size.rows};
}

// Over the last drawing: each line and the screen are cleared behind what is written, so that
// nothing flickers.
void draw(const lab::Flow& flow) {
  std::string frame(home);
  for (const char c : lab::draw_flow(flow, screen_size())) {
    if (c == '\n')
      frame += to_line_end;
    else
      frame += c;
  }
  frame += to_screen_end;
  std::fwrite(frame.data(), 1, frame.size(), stdout);
  std::fflush(stdout);
}

io::Task<> watch_task(lab::Flow& flow, Duration speed, io::Clock& clock, Result<>& outcome) {
  fmt::print("{}", clear_screen);
  Duration until{};
  while (outcome && !flow.over()) {
    draw(flow);
    co_await clock.sleep_for(frame_time);
    until += speed / frames_per_second;
    outcome = flow.run(until);
  }
  draw(flow);
}

}  // namespace

Result<> watch_flow(lab::Flow& flow, Duration speed) {
  TRY(const auto shard,
      io::RealShard::create({.directory = std::filesystem::temp_directory_path().string()}));
  Result<> outcome;
  if (!shard->run_task(watch_task(flow, speed, shard->world().clock, outcome), watch_time_max))
    return our_failure(Cause::timed_out, "it was watched for a day; choose a higher --speed");
  return outcome;
}

}  // namespace postern::app
