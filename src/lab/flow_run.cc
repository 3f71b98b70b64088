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

Scenario with_profile(Scenario scenario, const upstream::Profile& profile) {
  ScenarioServer* server = scenario.server(scenario.upstream);
  if (server == nullptr || server->profile == profile.name) return scenario;
  server->profile = profile.name;
  scenario.expectations.clear();
  scenario.run_for = std::max(scenario.run_for, profile.give_up + time_to_spare);
  return scenario;
}

FinishedFlow finish(std::unique_ptr<Flow> flow, const upstream::Profiles& profiles) {
  FinishedFlow finished;
  finished.account = account_of(*flow);
  finished.verdicts = judge_expectations(*flow, finished.account);
  finished.ledgers = ledger_accounts(*flow, finished.account, profiles);
  for (Verdict& verdict : judge_ledgers(*flow, finished.ledgers))
    finished.verdicts.push_back(std::move(verdict));
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

Result<FinishedFlow> run_flow(const Scenario& scenario, const upstream::Profiles& profiles,
                              std::uint64_t seed) {
  auto flow = std::make_unique<Flow>(scenario, profiles, seed);
  TRY_VOID(flow->start());
  TRY_VOID(flow->run(scenario.run_for));
  return finish(std::move(flow), profiles);
}

FlowRow row_of(const FinishedFlow& finished) {
  FlowRow row;
  row.profile = finished.upstream_profile;
  row.attempts = attempts_of(finished);
  row.good = finished.good();
  for (const ReportAccount& report : finished.account.reports) {
    if (!row.first_sign) row.first_sign = report.at;
    if (report.kind != "failure" || row.report) continue;
    row.report = report.at;
    row.from = report.from;
    row.by = report.by;
    row.quotes_reply = report.quotes_reply;
  }
  return row;
}

std::string flow_table(const std::vector<FinishedFlow>& flows, const upstream::Profiles& profiles) {
  std::string text = fmt::format("{:<16} {:>8}  {:>12}  {:>12}  {:<6}  {}\n", "profile", "attempts",
                                 "first sign", "report", "quotes", "from");
  const auto time = [](const std::optional<Duration>& at) {
    return at ? format_since(*at) : std::string("never");
  };
  for (const FinishedFlow& finished : flows) {
    const FlowRow row = row_of(finished);
    text += fmt::format("{:<16} {:>8}  {:>12}  {:>12}  {:<6}  {}{}\n", row.profile, row.attempts,
                        time(row.first_sign), time(row.report),
                        !row.report        ? ""
                        : row.quotes_reply ? "yes"
                                           : "no",
                        row.report ? row.from : "nobody", row.good ? "" : "  BROKEN");
    for (const Verdict& verdict : finished.verdicts)
      if (!verdict.kept) text += fmt::format("    {}: {}\n", verdict.what, verdict.got);
  }
  text += "\nHow sure the times are: ";
  for (const upstream::Profile& profile : profiles.all)
    text += fmt::format("{}{} {}", &profile == profiles.all.data() ? "" : ", ", profile.name,
                        upstream::confidence_name(profile.confidence));
  return text + ".\n";
}

}  // namespace postern::lab
