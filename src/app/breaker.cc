#include "app/breaker.h"

#include <filesystem>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::app {

using settings::Section;

namespace {

constexpr std::size_t words_max = 64;

settings::Parsed<std::string> parse_word(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return std::string(text);
  return settings::object("a word has a NUL in it", "remove it");
}

void read_command(Section& section, Configuration::BreakerAlerts& alerts) {
  using namespace std::chrono_literals;
  section.list("command", alerts.command, words_max, parse_word, Section::Repeats::allowed);
  section.duration("command_timeout", alerts.command_timeout, 1s, 10min);
  if (alerts.command.empty()) return;
  const std::string& program = alerts.command.front();
  std::error_code error;
  const auto status = std::filesystem::status(program, error);
  using std::filesystem::perms;
  if (!program.starts_with('/'))
    section.problem("command", {fmt::format("\"{}\" is not a full path", printable(program)),
                                "no shell looks for the program: write [\"/usr/bin/env\", ...], "
                                "each argument a string of its own"});
  else if (!std::filesystem::is_regular_file(status) ||
           (status.permissions() & (perms::owner_exec | perms::group_exec | perms::others_exec)) ==
               perms::none)
    section.problem("command", {fmt::format("{} is not a program", printable(program)),
                                "give the path of a file that the server's user may execute"});
}

}  // namespace

void read_breaker(Section section, Configuration::UnknownIp& unknown_ip) {
  using namespace std::chrono_literals;
  constexpr std::uint64_t samples_max = 2000;
  policy::BreakerOptions& breaker = unknown_ip.breaker;
  section.flag("enabled", breaker.enabled);
  section.duration("window", breaker.window, 1s, 4h);
  section.integer("temperror_percent", breaker.temperror_percent, 0, 100);
  section.integer("temperror_networks_min", breaker.temperror_networks_min, 1, samples_max);
  section.integer("one_client_percent", breaker.one_client_percent, 0, 100);
  section.integer("one_client_connections_min", breaker.one_client_connections_min, 1, samples_max);
  section.integer("refused_jump_percent", breaker.refused_jump_percent, 0, 100);
  section.integer("refused_networks_min", breaker.refused_networks_min, 1, samples_max);
  section.duration("open_time", breaker.open_time, 1s, 24h);
  section.duration("open_time_max", breaker.open_time_max, 1s, 7 * 24h);
  section.duration("recovery_time", breaker.recovery_time, 1s, 24h);
  section.integer("recovery_networks_min", breaker.recovery_networks_min, 1, samples_max);
  section.flag("mail", unknown_ip.alerts.mail);
  read_command(section, unknown_ip.alerts);
  section.finish();
  if (breaker.open_time_max < breaker.open_time)
    section.problem(
        section.has("open_time_max") ? "open_time_max" : "open_time",
        {fmt::format("open_time ({}) is longer than open_time_max ({})",
                     format_duration(breaker.open_time), format_duration(breaker.open_time_max)),
         "open_time doubles up to open_time_max while the trouble comes back: make that the longer "
         "one"});
}

}  // namespace postern::app
