// The only file that includes CLI11: it costs over ten seconds to compile.
#include "app/command_line.h"

#include <map>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "settings/diagnostic.h"

namespace postern::app {
namespace {

constexpr const char* exit_codes =
    "Exit status: 0 done, 1 failed or problems found, 2 wrong usage, 3 no server is running.";

void add_lab_options(CLI::App& app, const Command& command, Arguments::Lab& lab) {
  if (command.takes.scenario)
    app.add_option("SCENARIO", lab.scenario, "A name that `postern lab list` shows, or a file")
        ->required();
  if (command.takes.profiles_file)
    app.add_option("--profiles", lab.profiles_file, "Profiles of mail servers, instead of ours")
        ->type_name("FILE");
  if (!command.takes.lab_run) return;
  app.add_option("--profile", lab.profile, "What the upstream server is; \"all\": a table of all")
      ->type_name("NAME");
  app.add_option("--seed", lab.seed, "What is left to chance")->capture_default_str();
  app.add_flag("--all", lab.all, "Show every attempt, also those that are like the one before");
  CLI::Option* watch = app.add_flag("--watch", lab.watch, "Draw it while it happens");
  app.add_option("--speed", lab.speed, "Virtual time for each second of watching")
      ->type_name("DURATION")
      ->capture_default_str()
      ->needs(watch);
}

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
  add_lab_options(app, command, arguments.lab);
  if (!command.examples.empty())
    app.footer("Examples:\n" + std::string(command.examples) + "\n" + exit_codes);
}

std::string group_summary(std::string_view group) {
  return group == "lab"
             ? "Mail flows of several servers in virtual time: who reports what, and when"
             : "Look at the running server's queue and change it";
}

std::string unknown_command(std::span<const Command> commands,
                            const std::vector<std::string>& words) {
  if (words.empty() || words.front().starts_with('-')) return {};
  std::vector<std::string> known;
  const bool in_group =
      words.size() > 1 && std::ranges::any_of(commands, [&words](const Command& command) {
        return command.name.starts_with(words.front() + " ");
      });
  for (const Command& command : commands) {
    const auto space = command.name.find(' ');
    if (!in_group) known.emplace_back(command.name.substr(0, space));
    if (in_group && command.name.starts_with(words.front() + " "))
      known.emplace_back(command.name.substr(space + 1));
  }
  const std::string& word = words[in_group ? 1 : 0];
  if (std::ranges::find(known, word) != known.end()) return {};
  const std::string_view meant = settings::nearest(word, known);
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
                                   group_summary(name.substr(0, space)));
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
