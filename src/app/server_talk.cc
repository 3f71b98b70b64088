#include "app/server_talk.h"

#include <cstdio>
#include <fmt/format.h>

#include "app/configuration.h"
#include "base/text.h"
#include "io/real/shard.h"

namespace postern::app {
namespace {

constexpr Duration connect_time_max = std::chrono::seconds(30);

io::Task<> connect_and_talk(const Talk& talk, std::string socket, io::World world,
                            ExitCode& exit_code) {
  auto connected = co_await admin::ControlClient::connect(world.network, socket,
                                                          world.clock.in(connect_time_max));
  if (connected)
    exit_code = co_await talk(**connected, world);
  else
    exit_code = not_connected(socket, connected.error());
}

}  // namespace

ExitCode not_connected(const std::string& socket, const Error& error) {
  if (error.cause == Cause::no_permission) {
    fmt::print(stderr,
               "The control socket {} is another user's: run this as root or as the "
               "server's user.\n",
               printable(socket));
    return ExitCode::failed;
  }
  fmt::print(stderr,
             "No server answers at {} ({}). Start it with `postern run`, or give the "
             "configuration that it runs with by --config FILE.\n",
             printable(socket), printable(error.what));
  return ExitCode::not_running;
}

ExitCode talk_to_server(const std::string& config, Talk talk, Duration time_max) {
  const ReadConfiguration read = load_configuration(config);
  if (has_errors(read.diagnostics)) {
    for (const Diagnostic& diagnostic : read.diagnostics)
      fmt::print(stderr, "{}\n", diagnostic.text());
    return ExitCode::failed;
  }
  ExitCode exit_code = ExitCode::failed;
  auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) {
    fmt::print(stderr, "{}\n", printable(shard.error().what, 2000));
    return ExitCode::failed;
  }
  if (!(*shard)->run_task(connect_and_talk(talk, read.configuration.server.control_socket,
                                           (*shard)->world(), exit_code),
                          time_max)) {
    fmt::print(stderr, "The server did not answer in {}.\n", format_duration(time_max));
    return ExitCode::failed;
  }
  return exit_code;
}

}  // namespace postern::app
