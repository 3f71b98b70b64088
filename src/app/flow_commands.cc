#include "app/flow_commands.h"

#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>

#include "app/flow_watch.h"
#include "app/terminal.h"
#include "lab/flow_json.h"
#include "lab/flow_run.h"
#include "lab/flow_text.h"
#include "lab/ledger_check.h"
#include "lab/ledger_text.h"
#include "lab/scenario.h"

namespace postern::app {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{4} << 20;

void print_error(std::string_view text) {
  fmt::print(stderr, "postern lab: {}\n", text);
}

void print_problems(const std::vector<settings::Diagnostic>& diagnostics) {
  for (const settings::Diagnostic& diagnostic : diagnostics)
    fmt::print(stderr, "{}\n", diagnostic.text());
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::string text(file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_bytes_max) return std::nullopt;
  return text;
}

/// Those that a scenario may name, and those that the user asked for.
struct LoadedProfiles {
  upstream::Profiles known;
  upstream::Profiles listed;
};

std::optional<LoadedProfiles> load_profiles(const Arguments::Lab& arguments) {
  const upstream::Profiles& shipped = upstream::shipped_profiles_read();
  if (arguments.profiles_file.empty()) return LoadedProfiles{shipped, shipped};
  const auto text = read_file(arguments.profiles_file);
  if (!text) {
    print_error(fmt::format("cannot read {}; give a file in the form that docs/lab.md describes",
                            arguments.profiles_file));
    return std::nullopt;
  }
  LoadedProfiles loaded;
  loaded.listed = upstream::read_profiles(*text, arguments.profiles_file);
  print_problems(loaded.listed.diagnostics);
  if (settings::has_errors(loaded.listed.diagnostics)) return std::nullopt;
  loaded.known = loaded.listed;
  for (const upstream::Profile& profile : shipped.all)
    if (loaded.listed.find(profile.name) == nullptr) loaded.known.all.push_back(profile);
  return loaded;
}

/// A scenario's text, shipped or from a file, and what it is called.
struct ScenarioText {
  std::string name;
  std::string text;
};

std::optional<ScenarioText> find_scenario(const std::string& name) {
  std::vector<std::string> known;
  for (const EmbeddedText& shipped : lab::shipped_scenarios()) {
    if (shipped.name == name) return ScenarioText{name + ".toml", std::string(shipped.text)};
    known.emplace_back(shipped.name);
  }
  if (const auto text = read_file(name)) return ScenarioText{name, *text};
  const std::string_view meant = settings::nearest(name, known);
  print_error(fmt::format("there is no scenario \"{}\", and no such file; {}", name,
                          meant.empty() ? "`postern lab list` shows what there is"
                                        : fmt::format("did you mean \"{}\"?", meant)));
  return std::nullopt;
}

std::optional<lab::Scenario> load_scenario(const std::string& name,
                                           const upstream::Profiles& profiles) {
  const auto text = find_scenario(name);
  if (!text) return std::nullopt;
  lab::ReadScenario read = lab::read_scenario(text->text, text->name, profiles);
  print_problems(read.diagnostics);
  if (settings::has_errors(read.diagnostics)) return std::nullopt;
  return std::move(read.scenario);
}

void print_flow(const lab::FinishedFlow& finished, const upstream::Profiles& profiles,
                lab::Detail detail) {
  const std::string ledgers =
      lab::ledgers_text(finished.ledgers, finished.flow->scenario(), profiles);
  fmt::print("{}\nWhat happens\n{}\n{}\n{}What had to come out\n{}",
             lab::flow_heading(*finished.flow, profiles),
             lab::flow_timeline(*finished.flow, detail),
             lab::flow_account(*finished.flow, finished.account),
             ledgers.empty() ? std::string() : "What the ledger said\n" + ledgers + "\n",
             lab::flow_verdicts(finished.verdicts));
}

void print_flows(const Arguments& arguments, const std::vector<lab::FinishedFlow>& finished,
                 const LoadedProfiles& profiles) {
  const Arguments::Lab& lab = arguments.lab;
  const bool several = lab.profile == "all";
  if (arguments.json && several)
    fmt::print("{}\n", lab::flows_json(finished, lab.scenario, lab.seed));
  else if (arguments.json)
    fmt::print("{}\n", lab::flow_json(finished.front(), lab.scenario, lab.seed));
  else if (several)
    fmt::print("{}", lab::flow_table(finished, profiles.listed));
  else
    print_flow(finished.front(), profiles.known,
               lab.all ? lab::Detail::all : lab::Detail::summed_up);
}

/// The profiles to run with; empty: the scenario's own.
std::optional<std::vector<const upstream::Profile*>> wanted_profiles(
    const std::string& name, const lab::Scenario& scenario, const upstream::Profiles& profiles) {
  std::vector<const upstream::Profile*> wanted;
  if (name.empty()) return wanted;
  if (scenario.upstream.empty()) {
    print_error("this scenario names no server as its `upstream`, so --profile has none to change");
    return std::nullopt;
  }
  for (const upstream::Profile& profile : profiles.all)
    if (name == "all" || profile.name == name) wanted.push_back(&profile);
  if (!wanted.empty()) return wanted;
  const std::vector<std::string> names = profiles.names();
  const std::string_view meant = settings::nearest(name, names);
  print_error(fmt::format("there is no profile \"{}\"; {}", name,
                          meant.empty() ? "`postern lab profiles` shows them"
                                        : fmt::format("did you mean \"{}\"?", meant)));
  return std::nullopt;
}

bool may_watch(const Arguments& arguments) {
  if (!arguments.lab.watch || (!arguments.json && arguments.lab.profile != "all")) return true;
  print_error("--watch shows one flow, to people; leave --json and --profile all away");
  return false;
}

/// Drawn on the terminal when that was asked for and there is one.
Result<lab::FinishedFlow> run_one(const lab::Scenario& scenario, const upstream::Profiles& profiles,
                                  const Arguments::Lab& arguments) {
  if (!arguments.watch || !can_draw()) return lab::run_flow(scenario, profiles, arguments.seed);
  const auto speed = parse_duration(arguments.speed);
  if (!speed || *speed < seconds(1))
    return operator_failure(Cause::other,
                            "--speed wants a duration of a second or more, such as \"6h\"");
  auto flow = std::make_unique<lab::Flow>(scenario, profiles, arguments.seed);
  TRY_VOID(flow->start());
  TRY_VOID(watch_flow(*flow, *speed));
  return lab::finish(std::move(flow), profiles);
}

}  // namespace

ExitCode lab_list(const Arguments&) {
  for (const EmbeddedText& shipped : lab::shipped_scenarios()) {
    const auto read = lab::read_scenario(shipped.text, std::string(shipped.name),
                                         upstream::shipped_profiles_read());
    fmt::print("{:<24} {}\n", shipped.name, read.scenario.title);
  }
  return ExitCode::ok;
}

ExitCode lab_show(const Arguments& arguments) {
  const auto found = find_scenario(arguments.lab.scenario);
  if (!found) return ExitCode::wrong_usage;
  fmt::print("{}", found->text);
  return ExitCode::ok;
}

ExitCode lab_profiles(const Arguments& arguments) {
  const auto loaded = load_profiles(arguments.lab);
  if (!loaded) return ExitCode::wrong_usage;
  if (arguments.json) {
    fmt::print("{}\n", lab::profiles_json(loaded->listed));
    return ExitCode::ok;
  }
  fmt::print("{:<16} {:<36} {:>8}  {:>12}  {:>12}  {:<6}  {:<8} {}\n", "profile", "product",
             "attempts", "first sign", "gives up", "quotes", "sure by", "from");
  for (const upstream::Profile& profile : loaded->listed.all)
    fmt::print("{:<16} {:<36} {:>8}  {:>12}  {:>12}  {:<6}  {:<8} {}\n", profile.name,
               profile.product, profile.attempts().size(),
               profile.reports ? lab::format_since(profile.first_sign()) : "never",
               lab::format_since(profile.give_up),
               !profile.reports       ? ""
               : profile.quotes_reply ? "yes"
                                      : "no",
               upstream::confidence_name(profile.confidence), profile.report_from);
  return ExitCode::ok;
}

ExitCode lab_run(const Arguments& arguments) {
  const auto loaded = load_profiles(arguments.lab);
  if (!loaded) return ExitCode::wrong_usage;
  const auto scenario = load_scenario(arguments.lab.scenario, loaded->known);
  if (!scenario) return ExitCode::wrong_usage;
  const auto wanted = wanted_profiles(arguments.lab.profile, *scenario, loaded->listed);
  if (!wanted || !may_watch(arguments)) return ExitCode::wrong_usage;
  std::vector<lab::Scenario> scenarios;
  for (const upstream::Profile* profile : *wanted)
    scenarios.push_back(lab::with_profile(*scenario, *profile));
  if (scenarios.empty()) scenarios.push_back(*scenario);
  std::vector<lab::FinishedFlow> finished;
  bool good = true;
  for (const lab::Scenario& one : scenarios) {
    auto flow = run_one(one, loaded->known, arguments.lab);
    if (!flow) {
      print_error(flow.error().what);
      return ExitCode::failed;
    }
    good = good && flow->good();
    finished.push_back(*std::move(flow));
  }
  print_flows(arguments, finished, *loaded);
  return good ? ExitCode::ok : ExitCode::failed;
}

ExitCode lab_check(const Arguments& arguments) {
  const auto loaded = load_profiles(arguments.lab);
  if (!loaded) return ExitCode::wrong_usage;
  lab::LedgerCheck check;
  for (const EmbeddedText& shipped : lab::shipped_scenarios()) {
    const auto scenario = load_scenario(std::string(shipped.name), loaded->known);
    if (!scenario) return ExitCode::failed;
    if (scenario->upstream.empty()) continue;
    for (const upstream::Profile& profile : loaded->listed.all) {
      const auto flow =
          lab::run_flow(lab::with_profile(*scenario, profile), loaded->known, arguments.lab.seed);
      if (!flow) {
        print_error(flow.error().what);
        return ExitCode::failed;
      }
      check.add(std::string(shipped.name), *flow);
    }
  }
  fmt::print("{}\n", arguments.json ? check.json() : check.text());
  return check.good() ? ExitCode::ok : ExitCode::failed;
}

}  // namespace postern::app
