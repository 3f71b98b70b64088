#pragma once

#include <functional>
#include <string>

#include "admin/control_client.h"
#include "app/command_line.h"
#include "io/world.h"

namespace postern::app {

/// A command's talk with a running server.
using Talk =
    std::function<io::Task<ExitCode>(admin::ControlClient& server, const io::World& world)>;

/// Connects to the control socket of the configuration and runs `talk`, for `time_max` at most.
/// What keeps it from doing so is told on standard error: a mistake in the configuration, no server
/// (ExitCode::not_running), a socket of another user's.
ExitCode talk_to_server(const std::string& config, Talk talk, Duration time_max);

/// Tells why there is no connection, with what to do about it.
ExitCode not_connected(const std::string& socket, const Error& error);

}  // namespace postern::app
