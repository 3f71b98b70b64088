#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "app/command_line.h"
#include "base/time.h"

namespace postern::app {

/// The commands that speak to the running server through its control socket.
ExitCode queue_list(const Arguments& arguments);
ExitCode queue_show(const Arguments& arguments);
ExitCode queue_retry(const Arguments& arguments);
ExitCode queue_flush(const Arguments& arguments);
ExitCode queue_hold(const Arguments& arguments);
ExitCode queue_release(const Arguments& arguments);
ExitCode queue_remove(const Arguments& arguments);
ExitCode queue_bounce(const Arguments& arguments);
ExitCode queue_export(const Arguments& arguments);
ExitCode queue_dead_list(const Arguments& arguments);
ExitCode queue_dead_show(const Arguments& arguments);
ExitCode queue_dead_export(const Arguments& arguments);
ExitCode queue_dead_retry(const Arguments& arguments);
ExitCode queue_dead_remove(const Arguments& arguments);

/// What all steps of a change came to.
struct ChangeSum {
  std::uint64_t chosen = 0;
  std::uint64_t changed = 0;
  std::map<std::string, std::vector<std::string>> unchanged;  ///< why -> ids
  std::vector<std::string> missing;

  void add(const boost::json::object& reply);
  /// Something that was asked for was not done.
  [[nodiscard]] bool incomplete() const;
  [[nodiscard]] boost::json::object json() const;
  /// `done`: "removed". Pure.
  [[nodiscard]] std::string text(std::string_view done) const;
};

/// The server's replies as people read them. Pure.
std::string queue_table_head();
std::string queue_table_row(const boost::json::object& message, WallTime now);
std::string queue_message_text(const boost::json::object& message, WallTime now);
/// "in 4m12s" or "now" for a time of the form "2026-11-24T03:25:53.123Z"; as it is when it is not.
std::string time_until(std::string_view time, WallTime now);
/// "4m12s ago"
std::string time_since(std::string_view time, WallTime now);

}  // namespace postern::app
