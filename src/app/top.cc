#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <utility>

#include <boost/json/serialize.hpp>

#include "app/reply_fields.h"
#include "app/server_talk.h"
#include "app/terminal.h"
#include "app/top_screen.h"
#include "app/watch_commands.h"
#include "base/text.h"
#include "io/real/signals.h"
#include "io/task_group.h"

namespace postern::app {
namespace {

using admin::Verb;
using boost::json::object;

constexpr Duration call_time_max = std::chrono::seconds(30);
constexpr Duration watch_time_max = std::chrono::hours(24 * 3650);
constexpr Duration key_interval = std::chrono::milliseconds(100);
constexpr char ctrl_c = '\x03';

/// One `postern top`: asks, draws, waits, until somebody has seen enough.
class Watch {
 public:
  Watch(admin::ControlClient& server, const io::World& world, const Arguments& arguments,
        Duration interval)
      : server_(server), world_(world), arguments_(arguments), interval_(interval) {}

  io::Task<ExitCode> run() {
    io::Signals signals(world_.executor);
    io::TaskGroup group(world_.executor, world_.clock, 1);
    group.spawn("top signals", end_at_signal(signals));
    ExitCode exit_code = co_await watch();
    signals.close();
    co_await group.join();
    co_return exit_code;
  }

 private:
  io::Task<> end_at_signal(io::Signals& signals) {
    if (co_await signals.next()) ended_ = true;
  }

  io::Task<ExitCode> watch() {
    const bool draws = can_draw() && !arguments_.json && !arguments_.top.once;
    Result<TopFigures> figures = co_await look();
    {
      std::optional<Screen> screen;
      if (figures && draws) screen.emplace();
      while (figures && !ended_) {
        if (screen && !Screen::draw(draw_top(*figures, terminal_size(), can_colour()))) break;
        co_await wait(screen.has_value());
        if (ended_) break;
        figures = co_await look();
        if (figures && !screen && !print(*figures)) break;
        if (arguments_.top.once) break;
      }
    }
    if (figures) co_return ExitCode::ok;
    fmt::print(stderr, "The server does not answer any more ({}).\n",
               printable(figures.error().what));
    co_return ExitCode::not_running;
  }

  /// What happened since the last look; at first since the server's start.
  io::Task<Result<TopFigures>> look() {
    const io::Deadline deadline = world_.clock.in(call_time_max);
    CO_TRY(const object status, co_await server_.call({.verb = Verb::status}, deadline));
    CO_TRY(const object metrics, co_await server_.call({.verb = Verb::metrics}, deadline));
    MetricSnapshot now(metrics, world_.clock.now());
    if (!before_) before_ = MetricSnapshot({}, world_.clock.now() - uptime_of(status));
    TopFigures figures = top_figures(status, metrics, *before_, now);
    before_ = std::move(now);
    co_return figures;
  }

  static Duration uptime_of(const object& status) {
    return std::chrono::seconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(number_of(status, "uptime_seconds"))));
  }

  [[nodiscard]] bool print(const TopFigures& figures) const {
    const std::string text = arguments_.json ? boost::json::serialize(top_json(figures)) + "\n"
                                             : draw_top(figures, {}, false) + "\n";
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
  }

  io::Task<> wait(bool with_keys) {
    const SteadyTime until = world_.clock.now() + interval_;
    while (!ended_ && world_.clock.now() < until) {
      co_await world_.clock.sleep_until(std::min(until, world_.clock.now() + key_interval));
      if (!with_keys) continue;
      const std::optional<char> key = Screen::key();
      if (key == 'q' || key == 'Q' || key == ctrl_c) ended_ = true;
    }
  }

  admin::ControlClient& server_;
  io::World world_;
  const Arguments& arguments_;
  Duration interval_;
  std::optional<MetricSnapshot> before_;
  bool ended_ = false;
};

io::Task<ExitCode> watch_task(admin::ControlClient& server, const io::World& world,
                              const Arguments& arguments, Duration interval) {
  Watch watch(server, world, arguments, interval);
  co_return co_await watch.run();
}

}  // namespace

ExitCode top(const Arguments& arguments) {
  const auto interval = parse_duration(arguments.top.interval);
  if (!interval || *interval < std::chrono::milliseconds(100) ||
      *interval > std::chrono::hours(1)) {
    fmt::print(stderr, "--interval: \"{}\" is not a time from 100ms to 1h; write for example 2s.\n",
               printable(arguments.top.interval, 40));
    return ExitCode::wrong_usage;
  }
  return talk_to_server(
      arguments.config,
      [&](admin::ControlClient& server, const io::World& world) {
        return watch_task(server, world, arguments, *interval);
      },
      watch_time_max);
}

}  // namespace postern::app
