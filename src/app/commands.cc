// The table of commands. A new one is a line here and a function.
#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <iterator>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/command_line.h"
#include "app/configuration.h"
#include "app/explain.h"
#include "app/flow_commands.h"
#include "app/fsck_command.h"
#include "app/impact_command.h"
#include "app/lab_commands.h"
#include "app/ledger_commands.h"
#include "app/overrides.h"
#include "app/queue_commands.h"
#include "app/replay.h"
#include "app/report_commands.h"
#include "app/run.h"
#include "app/version.h"
#include "app/watch_commands.h"
#include "io/real/shard.h"

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
  ReadConfiguration read = load_configuration(arguments.config);
  if (const auto shard = io::RealShard::create({.directory = "/"}))
    std::ranges::move(warn_of_expired(read.configuration.unknown_ip.overrides, arguments.config,
                                      (*shard)->world().clock.wall_now()),
                      std::back_inserter(read.diagnostics));
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

constexpr std::array<Command, 34> table{{
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
    {"status",
     "Tell how a running server is: what it did since its start, its queue, what is wrong",
     "  postern status\n  postern status --check >/dev/null || echo look at it\n",
     {.config = true, .json = true, .status = true},
     status},
    {"top",
     "Watch a running server: rates, decisions, latencies, who is refused; q ends it",
     "  postern top\n  postern top --interval 10s --json\n  postern top --once\n",
     {.config = true, .json = true, .top = true},
     top},
    {"queue list",
     "List the messages in the queue, or those that are selected",
     "  postern queue list\n  postern queue list --sender @example.com --older-than 4h --json\n",
     {.config = true, .json = true, .selection = true},
     queue_list},
    {"queue show",
     "Show one message: its way, its recipients, what the last attempts met",
     "  postern queue show 0000000000ABC\n",
     {.config = true, .json = true, .id = true},
     queue_show},
    {"queue export",
     "Write the content of one message, as it is, to a file or to standard output",
     "  postern queue export 0000000000ABC --output message.eml\n",
     {.config = true, .id = true, .output = true},
     queue_export},
    {"queue retry",
     "Try messages again now",
     "  postern queue retry 0000000000ABC\n  postern queue retry --destination example.com\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_retry},
    {"queue flush",
     "Try every message again now",
     "  postern queue flush\n",
     {.config = true, .json = true},
     queue_flush},
    {"queue hold",
     "Keep messages from being delivered until they are released",
     "  postern queue hold --sender news@example.com\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_hold},
    {"queue release",
     "End a hold: the messages are tried now",
     "  postern queue release --held\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_release},
    {"queue remove",
     "Delete messages; nobody gets a report",
     "  postern queue remove 0000000000ABC\n  postern queue remove --sender '<>' --dry-run\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_remove},
    {"queue bounce",
     "Delete messages and report that to their senders",
     "  postern queue bounce --recipient @old.example --reason 'That domain is closed.'\n",
     {.config = true, .json = true, .selection = true, .change = true, .reason = true},
     queue_bounce},
    {"queue fsck",
     "Look through the queue of a server that does not run, and mend it; 1: something is left",
     "  postern queue fsck\n  postern queue fsck --spool /var/lib/postern --repair --json\n",
     {.config = true, .json = true, .fsck = true},
     queue_fsck},
    {"queue dead list",
     "List the dead letters",
     "  postern queue dead list --older-than 30d\n",
     {.config = true, .json = true, .selection = true},
     queue_dead_list},
    {"queue dead show",
     "Show one dead letter: its recipients, and why each failed",
     "  postern queue dead show 0000000000ABC\n",
     {.config = true, .json = true, .id = true},
     queue_dead_show},
    {"queue dead export",
     "Write the content of one dead letter, as it is, to a file or to standard output",
     "  postern queue dead export 0000000000ABC --output letter.eml\n",
     {.config = true, .id = true, .output = true},
     queue_dead_export},
    {"queue dead retry",
     "Queue dead letters again, with a new lifetime, for the recipients that failed",
     "  postern queue dead retry --recipient @example.com\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_dead_retry},
    {"queue dead remove",
     "Delete dead letters",
     "  postern queue dead remove --older-than 30d\n",
     {.config = true, .json = true, .selection = true, .change = true},
     queue_dead_remove},
    {"reports template",
     "Print the words that are shipped for a language, to change them",
     "  postern reports template en > /etc/postern/reports/en.txt\n",
     {.language = true},
     reports_template},
    {"reports preview",
     "Show a report as its reader sees it, with facts of an example",
     "  postern reports preview\n  postern reports preview --action delayed --language de\n"
     "  postern reports preview --template ./fr.txt --status 5.2.2\n"
     "  postern reports preview --message > report.eml\n",
     {.config = true, .json = true, .preview = true},
     reports_preview},
    {"demo",
     "Tell the story of the option on a little world on this machine, nothing to configure",
     "  postern demo\n",
     {},
     demo},
    {"play", "Start the same little world as a server to play with", "  postern play\n", {}, play},
    {"lab list",
     "List the mail flows that come with this program",
     "  postern lab list\n",
     {},
     lab_list},
    {"lab show",
     "Print the file of one",
     "  postern lab show kb > mine.toml\n",
     {.scenario = true},
     lab_show},
    {"lab profiles",
     "List the mail servers that the lab can play: when they try again, report and give up",
     "  postern lab profiles\n",
     {.json = true, .profiles_file = true},
     lab_profiles},
    {"lab run",
     "Let a mail flow happen in virtual time and tell who reports what, and when",
     "  postern lab run kb\n  postern lab run kb --profile exchange\n"
     "  postern lab run kb --profile all\n  postern lab run ./mine.toml --watch\n",
     {.json = true, .scenario = true, .profiles_file = true, .lab_run = true},
     lab_run},
    {"lab check",
     "Let every flow happen with every mail server, and check what the ledger says and forecasts",
     "  postern lab check\n  postern lab check --seed 7 --json\n",
     {.json = true, .profiles_file = true, .lab_check = true},
     lab_check},
    {"explain",
     "Tell of a case, or check a client now: the lookups, what it read, who reports to whom, what "
     "to mend",
     "  postern explain 4F7KQ2\n  postern explain 4F7KQ2 --mail\n"
     "  postern explain --client 192.0.2.7 --helo mail.example.com\n",
     {.config = true, .json = true, .explain = true},
     explain},
    {"ledger list",
     "List mail that was refused for its client's name, the newest first, and what became of it",
     "  postern ledger list --outcome given_up --since 2d\n"
     "  postern ledger list --sender @example.com --json\n",
     {.config = true, .json = true, .ledger_list = true},
     ledger_list},
    {"ledger show",
     "Show all attempts of one, who its server seems to be, and what is to come",
     "  postern ledger show 17\n  postern ledger show 4F7KQ2\n",
     {.config = true, .json = true, .ledger_id = true},
     ledger_show},
    {"impact",
     "Tell from what was recorded what the option would refuse, and whose mail is likely wanted",
     "  postern impact --since 7d\n",
     {.config = true, .json = true, .impact = true},
     impact},
    {"replay",
     "Tell from another server's mail logs what the option would do to that mail",
     "  postern replay /var/log/mail.log*\n"
     "  postern replay --journal lookups.json --rate 20 --json /var/log/exim4/mainlog*\n",
     {.config = true, .json = true, .replay = true},
     replay},
    {"version", "Print the version", "  postern version\n", {}, print_version},
}};

}  // namespace

std::span<const Command> commands() {
  return table;
}

}  // namespace postern::app
