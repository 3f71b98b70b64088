#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::app {

/// What the program's exit status says.
enum class ExitCode : std::uint8_t {
  ok = 0,
  failed = 1,       ///< it did not work, or `check` found problems
  wrong_usage = 2,  ///< the command line is not understood
  not_running = 3,  ///< no server answers on the control socket
};

/// What a command was given.
struct Arguments {
  std::string config = "/etc/postern/postern.toml";
  bool json = false;
  bool check_only = false;
  std::string id = {};
  /// For `postern queue`.
  struct Queue {
    std::vector<std::string> ids = {};
    std::string sender = {};
    std::string recipient = {};
    std::string destination = {};
    std::string older_than = {};
    std::string younger_than = {};
    bool held = false;
    bool all = false;
    bool dry_run = false;
    std::string reason = {};
    std::string output = {};  ///< a file, or empty for standard output
  } queue = {};
  /// For `postern reports`.
  struct Reports {
    std::string language = {};
    std::string template_file = {};
    std::string action = "failed";
    std::string status = {};
    bool message = false;  ///< the whole message, as it is sent
  } reports = {};
  /// For `postern queue fsck`.
  struct Fsck {
    std::string spool = {};  ///< instead of the configuration's
    bool repair = false;
  } fsck = {};
  /// For `postern explain`.
  struct Explain {
    std::string case_id = {};
    std::string client = {};
    std::string helo = {};
    std::string sender = {};
    std::string recipient = {};
    std::string profile = {};
    bool letter = false;
    bool now = false;  ///< also as it is now
  } explain = {};
  /// For `postern ledger`.
  struct Ledger {
    std::string id = {};  ///< of a deferral, or a case
    std::string outcome = {};
    std::string client = {};
    std::string sender = {};
    std::string recipient = {};
    std::string state = {};
    std::string since = {};
    std::string at = {};  ///< empty: now
    std::uint64_t count_max = 50;
    std::string after = {};  ///< the last one of the page before
  } ledger = {};
  /// For `postern impact`.
  struct Impact {
    std::string since = "7d";
    std::uint64_t clients_shown_max = 20;
  } impact = {};
  /// For `postern replay`.
  struct Replay {
    std::vector<std::string> files = {};
    std::string utc_offset = "0";
    std::uint64_t lookups_per_second = 100;
    std::uint64_t clients_shown_max = 20;
    std::string journal = {};
    bool no_lookups = false;
  } replay = {};
  /// For `postern status`.
  struct Status {
    bool check = false;
  } status = {};
  /// For `postern top`.
  struct Top {
    std::string interval = "2s";
    bool once = false;
  } top = {};
  /// For `postern lab`.
  struct Lab {
    std::string scenario = {};       ///< a shipped one's name, or a file
    std::string profile = {};        ///< of the upstream, instead of the scenario's own; "all"
    std::string profiles_file = {};  ///< besides the shipped profiles
    std::uint64_t seed = 1;
    bool all = false;  ///< show every attempt
    bool watch = false;
    std::string speed = "6h";  ///< virtual time for each second of watching
  } lab = {};
};

/// One command of the program: `postern queue list` has the name "queue list"; at most
/// three words.
struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;  ///< lines for --help
  struct Takes {
    bool config = false;
    bool json = false;
    bool check_only = false;
    bool id = false;
    bool selection = false;  ///< which messages: ids and what they are selected by
    bool change = false;     ///< --all, --dry-run
    bool reason = false;
    bool output = false;
    bool fsck = false;
    bool scenario = false;
    bool profiles_file = false;
    bool lab_run = false;
    bool lab_check = false;
    bool replay = false;
    bool explain = false;
    bool ledger_list = false;
    bool ledger_id = false;
    bool impact = false;
    bool language = false;
    bool preview = false;
    bool status = false;
    bool top = false;
  } takes;
  ExitCode (*run)(const Arguments&) = nullptr;
};

/// What the command line came to: a command to run, or text to print and the exit status.
struct Invocation {
  const Command* command = nullptr;
  Arguments arguments;
  ExitCode exit_code = ExitCode::ok;
  std::string output;  ///< for standard output: --help
  std::string error;   ///< for standard error
};

/// `words` are the arguments behind the program's name. `commands` outlives the result.
Invocation parse_command_line(std::span<const Command> commands,
                              const std::vector<std::string>& words);

/// Every command of this program.
std::span<const Command> commands();

}  // namespace postern::app
