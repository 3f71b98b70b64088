// The only file that includes CLI11: it costs over ten seconds to compile.
#include "app/command_line.h"

#include <map>
#include <sstream>

#include <CLI/CLI.hpp>

#include "app/diagnostic.h"
#include "base/text.h"

namespace postern::app {
namespace {

constexpr const char* exit_codes =
    "Exit status: 0 done, 1 failed or problems found, 2 wrong usage, 3 no server is running.";

void add_options(CLI::App& app, const Command& command, Arguments& arguments) {
  if (command.takes.config)
    app.add_option("-c,--config", arguments.config, "The configuration file")
        ->type_name("FILE")
        ->capture_default_str();
  if (command.takes.json) app.add_flag("--json", arguments.json, "Write JSON, for programs");
  if (command.takes.check_only)
    app.add_flag("--check-only", arguments.check_only,
                 "Read and check the configuration, then end, as `postern check`");
  if (command.takes.id)
    app.add_option("ID", arguments.id, "The message, as `postern queue list` shows it")->required();
  if (!command.examples.empty())
    app.footer("Examples:\n" + std::string(command.examples) + "\n" + exit_codes);
}

std::string unknown_command(std::span<const Command> commands,
                            const std::vector<std::string>& words) {
  if (words.empty() || words.front().starts_with('-')) return {};
  std::vector<std::string> known;
  const bool in_queue = words.front() == "queue" && words.size() > 1;
  for (const Command& command : commands) {
    const auto space = command.name.find(' ');
    if (!in_queue) known.emplace_back(command.name.substr(0, space));
    if (in_queue && command.name.starts_with("queue "))
      known.emplace_back(command.name.substr(space + 1));
  }
  const std::string& word = words[in_queue ? 1 : 0];
  if (std::ranges::find(known, word) != known.end()) return {};
  const std::string_view meant = nearest(word, known);
  const std::string question =
      meant.empty() ? "." : "; did you mean \"" + std::string(meant) + "\"?";
  return "There is no command \"" + printable(word, 40) + "\"" + question + "\n";
}

}  // namespace

Invocation parse_command_line(std::span<const Command> commands,
                              const std::vector<std::string>& words) {
  Invocation invocation;
  CLI::App app("Postern, a mail gateway that refuses clients without a confirmed name", "postern");
  app.require_subcommand(1);
  app.footer(exit_codes);
  app.failure_message(CLI::FailureMessage::simple);
  std::map<const CLI::App*, const Command*> leaves;
  std::map<std::string_view, CLI::App*> groups;
  for (const Command& command : commands) {
    CLI::App* parent = &app;
    std::string_view name = command.name;
    if (const auto space = name.find(' '); space != std::string_view::npos) {
      CLI::App*& group = groups[name.substr(0, space)];
      if (group == nullptr) {
        group = app.add_subcommand(std::string(name.substr(0, space)),
                                   "Look at the running server's queue and change it");
        group->require_subcommand(1);
      }
      parent = group;
      name.remove_prefix(space + 1);
    }
    CLI::App* leaf = parent->add_subcommand(std::string(name), std::string(command.summary));
    add_options(*leaf, command, invocation.arguments);
    leaves[leaf] = &command;
  }
  try {
    // The library takes the words from the back.
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& thrown) {
    std::ostringstream output;
    std::ostringstream error;
    const bool is_help = app.exit(thrown, output, error) == 0;
    invocation.output = output.str();
    invocation.error = is_help ? error.str() : unknown_command(commands, words) + error.str();
    invocation.exit_code = is_help ? ExitCode::ok : ExitCode::wrong_usage;
    return invocation;
  }
  for (const auto& [leaf, command] : leaves)
    if (leaf->parsed()) invocation.command = command;
  return invocation;
}

}  // namespace postern::app
