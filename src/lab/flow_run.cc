#include "lab/flow_run.h"

#include <algorithm>
#include <fmt/format.h>

namespace postern::lab {
namespace {

constexpr Duration time_to_spare = std::chrono::hours(2);

std::size_t attempts_of(const FinishedFlow& finished) {
  const Flow& flow = *finished.flow;
  std::size_t count = 0;
  for (const MailAccount& mail : finished.account.mails)
    count += attempt_times(flow, flow.scenario().upstream, mail.sender, mail.recipient).size();
  return count;
}

}  // namespace

bool FinishedFlow::good() const {
  return std::ranges::all_of(verdicts, [](const Verdict& verdict) { return verdict.kept; });
}

Scenario with_profile(Scenario scenario, const Profile& profile) {
  ScenarioServer* server = scenario.server(scenario.upstream);
  if (server == nullptr || server->profile == profile.name) return scenario;
  server->profile = profile.name;
  scenario.expectations.clear();
  scenario.run_for = std::max(scenario.run_for, profile.give_up + time_to_spare);
  return scenario;
}

FinishedFlow finish(std::unique_ptr<Flow> flow, const Profiles& profiles) {
  FinishedFlow finished;
  finished.account = account_of(*flow);
  finished.verdicts = judge_expectations(*flow, finished.account);
  const Scenario& scenario = flow->scenario();
  if (const ScenarioServer* upstream = scenario.server(scenario.upstream); upstream != nullptr) {
    finished.upstream_profile = upstream->profile;
    for (Verdict& verdict :
         judge_profile(*flow, finished.account, *profiles.find(upstream->profile), upstream->id))
      finished.verdicts.push_back(std::move(verdict));
  }
  if (flow->history().full)
    finished.verdicts.push_back({false, "everything can be remembered", "too much happened"});
  finished.flow = std::move(flow);
  return finished;
}

Result<FinishedFlow> run_flow(const Scenario& scenario, const Profiles& profiles,
                              std::uint64_t seed) {
  auto flow = std::make_unique<Flow>(scenario, profiles, seed);
  TRY_VOID(flow->start());
  TRY_VOID(flow->run(scenario.run_for));
  return finish(std::move(flow), profiles);
}

std::string flow_table(const std::vector<FinishedFlow>& flows, const Profiles& profiles) {
  std::string text = fmt::format("{:<16} {:>8}  {:>12}  {:>12}  {:<6}  {}\n", "profile", "attempts",
                                 "first sign", "report", "quotes", "from");
  for (const FinishedFlow& finished : flows) {
    const ReportAccount* first = nullptr;
    const ReportAccount* failure = nullptr;
    for (const ReportAccount& report : finished.account.reports) {
      if (first == nullptr) first = &report;
      if (report.kind == "failure" && failure == nullptr) failure = &report;
    }
    const auto time = [](const ReportAccount* report) {
      return report == nullptr ? std::string("never") : format_since(report->at);
    };
    const auto quotes = [](const ReportAccount* report) {
      return report == nullptr ? "" : report->quotes_reply ? "yes" : "no";
    };
    text += fmt::format("{:<16} {:>8}  {:>12}  {:>12}  {:<6}  {}{}\n", finished.upstream_profile,
                        attempts_of(finished), time(first), time(failure), quotes(failure),
                        failure == nullptr ? "nobody" : failure->from,
                        finished.good() ? "" : "  BROKEN");
    if (!finished.good())
      for (const Verdict& verdict : finished.verdicts)
        if (!verdict.kept) text += fmt::format("    {}: {}\n", verdict.what, verdict.got);
  }
  text += "\nHow sure the times are: ";
  for (const Profile& profile : profiles.all)
    text += fmt::format("{}{} {}", &profile == profiles.all.data() ? "" : ", ", profile.name,
                        confidence_name(profile.confidence));
  return text + ".\n";
}

}  // namespace postern::lab
