#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "app/command_line.h"
#include "base/time.h"

namespace postern::app {

/// The commands that speak to the running server through its control socket.
ExitCode queue_list(const Arguments& arguments);
ExitCode queue_show(const Arguments& arguments);
ExitCode queue_retry(const Arguments& arguments);
ExitCode queue_remove(const Arguments& arguments);
ExitCode queue_flush(const Arguments& arguments);

/// The server's replies as people read them. Pure.
std::string queue_table_head();
std::string queue_table_row(const boost::json::object& message, WallTime now);
std::string queue_message_text(const boost::json::object& message, WallTime now);
/// "in 4m12s" or "now" for a time of the form "2026-11-24T03:25:53.123Z"; as it is when it is not.
std::string time_until(std::string_view time, WallTime now);
/// "4m12s ago"
std::string time_since(std::string_view time, WallTime now);

}  // namespace postern::app
