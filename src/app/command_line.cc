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
    app.add_option("--profiles", lab.profiles_file, "Profiles of mail servers, before ours")
        ->type_name("FILE");
  if (command.takes.lab_run || command.takes.lab_check)
    app.add_option("--seed", lab.seed, "What is left to chance")->capture_default_str();
  if (!command.takes.lab_run) return;
  app.add_option("--profile", lab.profile, "What the upstream server is; \"all\": a table of all")
      ->type_name("NAME");
  app.add_flag("--all", lab.all, "Show every attempt, also those that are like the one before");
  CLI::Option* watch = app.add_flag("--watch", lab.watch, "Draw it while it happens");
  app.add_option("--speed", lab.speed, "Virtual time for each second of watching")
      ->type_name("DURATION")
      ->capture_default_str()
      ->needs(watch);
}

void add_report_options(CLI::App& app, const Command& command, Arguments::Reports& reports) {
  if (command.takes.language)
    app.add_option("LANGUAGE", reports.language, "A language that is shipped: en, de")->required();
  if (!command.takes.preview) return;
  app.add_option("--language", reports.language,
                 "The words that are shipped for a language, not those of the configuration")
      ->type_name("LANGUAGE");
  app.add_option("--template", reports.template_file,
                 "The words of this file; its language is --language, or the file's name")
      ->type_name("FILE");
  app.add_option("--action", reports.action,
                 "What happened: failed, delayed, delivered, relayed or expanded; or postmaster, "
                 "the copy when the sender cannot be told")
      ->capture_default_str()
      ->type_name("ACTION");
  app.add_option("--status", reports.status, "Why: 5.2.2, to see the advice of that section")
      ->type_name("STATUS");
  app.add_flag("--message", reports.message,
               "Print the whole message as it is sent, to open in a mail program");
}

void add_explain_options(CLI::App& app, Arguments::Explain& explain) {
  CLI::Option* case_id = app.add_option("CASE", explain.case_id,
                                        "A case, as it stands in the reply: 4F7KQ2; or --client");
  CLI::Option* client =
      app.add_option("--client", explain.client, "An address: what its mail meets now")
          ->type_name("ADDRESS")
          ->excludes(case_id);
  app.add_option("--helo", explain.helo, "The name in its EHLO")->type_name("NAME")->needs(client);
  app.add_option("--from", explain.sender, "The sender of its mail")
      ->type_name("ADDRESS")
      ->needs(client);
  app.add_option("--to", explain.recipient, "The recipient")->type_name("ADDRESS")->needs(client);
  app.add_option("--profile", explain.profile,
                 "What mail server it is, as `postern lab profiles` lists them")
      ->type_name("NAME");
  app.add_flag("--now", explain.now, "Look the client of the case up again, to compare")
      ->needs(case_id);
  app.add_flag("--mail", explain.letter, "Write a letter to the postmaster of the sender's domain");
}

void add_ledger_options(CLI::App& app, const Command& command, Arguments::Ledger& ledger) {
  if (command.takes.ledger_id)
    app.add_option("ID", ledger.id, "A deferral, as `postern ledger list` shows it, or a case")
        ->required();
  if (command.takes.ledger_id || command.takes.ledger_list)
    app.add_option("--at", ledger.at,
                   "As it is to be judged at this time (UTC), not now: 2026-11-25T09:00")
        ->type_name("TIME");
  if (!command.takes.ledger_list) return;
  app.add_option("--outcome", ledger.outcome,
                 "retrying, recovered, given_up or never_retried, as it is now")
      ->type_name("OUTCOME");
  app.add_option("--client", ledger.client, "Tried from this address or network")
      ->type_name("NETWORK");
  app.add_option("--sender", ledger.sender, "a@example.com, @example.com, or <> for reports");
  app.add_option("--recipient", ledger.recipient, "The same, of the recipient");
  app.add_option("--state", ledger.state, "Why it was refused the last time: no_ptr, ...")
      ->type_name("STATE");
  app.add_option("--since", ledger.since, "Begun within this time: 4h, 2d")->type_name("DURATION");
  app.add_option("--limit", ledger.count_max, "How many are listed")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("COUNT")
      ->capture_default_str();
  app.add_option("--after", ledger.after, "Go on behind this one of an earlier list")
      ->type_name("ID");
}

void add_impact_options(CLI::App& app, Arguments::Impact& impact) {
  app.add_option("--since", impact.since, "How far back: 12h, 7d")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_option("--clients", impact.clients_shown_max, "How many clients are shown")
      ->type_name("COUNT")
      ->capture_default_str();
}

void add_replay_options(CLI::App& app, Arguments::Replay& replay) {
  app.add_option("FILE", replay.files,
                 "Mail logs, also rotated and compressed ones; - is standard input")
      ->required();
  app.add_option("--journal", replay.journal,
                 "Keep what was looked up in this file; the next run goes on from there")
      ->type_name("FILE");
  app.add_option("--rate", replay.lookups_per_second, "Clients looked up each second")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_flag("--no-lookups", replay.no_lookups, "Tell only what the logs tell");
  app.add_option("--utc-offset", replay.utc_offset,
                 "Of the log's server, for times without one: +02:00")
      ->type_name("OFFSET")
      ->capture_default_str();
  app.add_option("--clients", replay.clients_shown_max, "How many clients are shown")
      ->type_name("COUNT")
      ->capture_default_str();
}

void add_top_options(CLI::App& app, Arguments::Top& top) {
  app.add_option("--interval", top.interval, "How often it looks")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--once", top.once, "Look twice, an interval apart, print that and end");
}

void add_queue_options(CLI::App& app, const Command& command, Arguments::Queue& queue) {
  if (command.takes.selection) {
    app.add_option("ID", queue.ids, "These messages; without, all that the options select");
    app.add_option("--sender", queue.sender, "a@example.com, @example.com, or <> for reports");
    app.add_option("--recipient", queue.recipient,
                   "The same, of somebody who still waits; the whole message is meant");
    app.add_option("--destination", queue.destination, "The domain or route they wait for");
    app.add_option("--older-than", queue.older_than, "Since it arrived: 4h, 2d")
        ->type_name("DURATION");
    app.add_option("--younger-than", queue.younger_than, "The opposite")->type_name("DURATION");
    if (!command.name.starts_with("queue dead"))
      app.add_flag("--held", queue.held, "Only those that are held");
  }
  if (command.takes.change) {
    app.add_flag("--all", queue.all, "Every message, when nothing else selects them");
    app.add_flag("--dry-run", queue.dry_run, "List which messages it would be, change nothing");
  }
  if (command.takes.reason)
    app.add_option("--reason", queue.reason, "What the sender shall read")->type_name("TEXT");
  if (command.takes.output)
    app.add_option("-o,--output", queue.output, "Write to this file, not to standard output")
        ->type_name("FILE");
}

void add_fsck_options(CLI::App& app, const Command& command, Arguments::Fsck& fsck) {
  if (!command.takes.fsck) return;
  app.add_option("--spool", fsck.spool, "The spool directory; the configuration is not read then")
      ->type_name("DIR")
      ->excludes("--config");
  app.add_flag("--repair", fsck.repair,
               "Mend what can be mended; what cannot be kept in the queue goes to files in "
               "salvaged/, below the spool");
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
  add_queue_options(app, command, arguments.queue);
  add_report_options(app, command, arguments.reports);
  add_fsck_options(app, command, arguments.fsck);
  if (command.takes.explain) add_explain_options(app, arguments.explain);
  add_ledger_options(app, command, arguments.ledger);
  if (command.takes.impact) add_impact_options(app, arguments.impact);
  if (command.takes.replay) add_replay_options(app, arguments.replay);
  if (command.takes.status)
    app.add_flag("--check", arguments.status.check,
                 "End with 1 when new mail is not taken, or something should be looked at");
  if (command.takes.top) add_top_options(app, arguments.top);
  if (!command.examples.empty())
    app.footer("Examples:\n" + std::string(command.examples) + "\n" + exit_codes);
}

/// The words that may stand behind `group`, which is empty or ends in a space.
std::vector<std::string> known_words(std::span<const Command> commands, const std::string& group) {
  std::vector<std::string> known;
  for (const Command& command : commands) {
    if (!command.name.starts_with(group)) continue;
    const std::string_view rest = command.name.substr(group.size());
    known.emplace_back(rest.substr(0, rest.find(' ')));
  }
  return known;
}

std::string unknown_command(std::span<const Command> commands,
                            const std::vector<std::string>& words) {
  std::string group;
  for (const std::string& word : words) {
    if (word.starts_with('-')) return {};
    const std::vector<std::string> known = known_words(commands, group);
    if (known.empty()) return {};
    if (std::ranges::find(known, word) == known.end()) {
      const std::string_view meant = settings::nearest(word, known);
      return "There is no command \"" + printable(word, 40) + "\"" +
             (meant.empty() ? "." : "; did you mean \"" + std::string(meant) + "\"?") + "\n";
    }
    group += word + " ";
  }
  return {};
}

constexpr std::pair<std::string_view, const char*> groups[] = {
    {"queue", "Look at the queue and change it; but for fsck, the server runs"},
    {"queue dead", "Mail that failed while nobody may be told: look at it, export it, retry it"},
    {"ledger", "Mail that was refused for its client's name, and what became of it"},
    {"reports", "The words of the reports that senders get: print them, look at a report"},
    {"lab", "Mail flows of several servers in virtual time: who reports what, and when"},
};

/// Where the last word of a command's name belongs, made when it is not there yet.
CLI::App* parent_of(CLI::App& app, std::string_view name,
                    std::map<std::string, CLI::App*, std::less<>>& made) {
  const auto space = name.rfind(' ');
  if (space == std::string_view::npos) return &app;
  const std::string_view path = name.substr(0, space);
  CLI::App*& group = made[std::string(path)];
  if (group != nullptr) return group;
  CLI::App* parent = parent_of(app, path, made);
  const auto* known =
      std::ranges::find(groups, path, &std::pair<std::string_view, const char*>::first);
  group = parent->add_subcommand(std::string(path.substr(path.rfind(' ') + 1)),
                                 known == std::end(groups) ? "" : known->second);
  group->require_subcommand(1);
  return group;
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
  std::map<std::string, CLI::App*, std::less<>> made;
  for (const Command& command : commands) {
    CLI::App* parent = parent_of(app, command.name, made);
    const std::string_view name = command.name.substr(command.name.rfind(' ') + 1);
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
