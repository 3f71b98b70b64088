// The table of commands. A new one is a line here and a function.
#include <array>
#include <cstdio>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/command_line.h"
#include "app/configuration.h"
#include "app/lab_commands.h"
#include "app/queue_commands.h"
#include "app/run.h"
#include "app/version.h"

namespace postern::app {
namespace {

ExitCode print_version(const Arguments&) {
  fmt::print("postern {}\n", version);
  return ExitCode::ok;
}

void print_json(const ReadConfiguration& read) {
  boost::json::array problems;
  for (const Diagnostic& d : read.diagnostics)
    problems.push_back({{"severity", d.weight == Weight::error ? "error" : "warning"},
                        {"file", d.file},
                        {"line", d.place.line},
                        {"column", d.place.column},
                        {"section", d.section},
                        {"key", d.key},
                        {"what", d.what},
                        {"advice", d.advice}});
  const boost::json::object report{{"ok", !has_errors(read.diagnostics)},
                                   {"problems", std::move(problems)}};
  fmt::print("{}\n", boost::json::serialize(report));
}

ExitCode check(const Arguments& arguments) {
  const ReadConfiguration read = load_configuration(arguments.config);
  const bool wrong = has_errors(read.diagnostics);
  const ExitCode code = wrong ? ExitCode::failed : ExitCode::ok;
  if (arguments.json) {
    print_json(read);
    return code;
  }
  std::size_t errors = 0;
  for (const Diagnostic& diagnostic : read.diagnostics) {
    if (diagnostic.weight == Weight::error) ++errors;
    fmt::print("{}\n", diagnostic.text());
  }
  if (wrong)
    fmt::print("{} problem{}\n", errors, errors == 1 ? "" : "s");
  else
    fmt::print("{} is good. A server with it:\n{}", arguments.config, summary(read.configuration));
  return code;
}

ExitCode run_or_check(const Arguments& arguments) {
  return arguments.check_only ? check(arguments) : run(arguments);
}

constexpr std::array<Command, 10> table{{
    {"run",
     "Run the server until SIGTERM; SIGHUP reloads the configuration",
     "  postern run\n  postern run --config ./postern.toml\n",
     {.config = true, .check_only = true},
     run_or_check},
    {"check",
     "Tell everything that is wrong with the configuration, or what it does",
     "  postern check\n  postern check --config ./postern.toml --json\n",
     {.config = true, .json = true},
     check},
    {"queue list",
     "List the messages in the queue",
     "  postern queue list\n  postern queue list "
     "--json\n",
     {.config = true, .json = true},
     queue_list},
    {"queue show",
     "Show one message: its way, its recipients, what the last attempts met",
     "  postern queue show 0000000000ABC\n",
     {.config = true, .json = true, .id = true},
     queue_show},
    {"queue retry",
     "Try one message again now",
     "  postern queue retry 0000000000ABC\n",
     {.config = true, .json = true, .id = true},
     queue_retry},
    {"queue remove",
     "Delete one message; nobody gets a report",
     "  postern queue remove 0000000000ABC\n",
     {.config = true, .json = true, .id = true},
     queue_remove},
    {"queue flush",
     "Try every message again now",
     "  postern queue flush\n",
     {.config = true, .json = true},
     queue_flush},
    {"demo",
     "Tell the story of the option on a little world on this machine, nothing to configure",
     "  postern demo\n",
     {},
     demo},
    {"play", "Start the same little world as a server to play with", "  postern play\n", {}, play},
    {"version", "Print the version", "  postern version\n", {}, print_version},
}};

}  // namespace

std::span<const Command> commands() {
  return table;
}

}  // namespace postern::app
