#include "lab/ledger_check.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "lab/ledger_json.h"
#include "lab/ledger_text.h"

namespace postern::lab {
namespace {

using boost::json::array;
using boost::json::object;

std::string seen_text(const LedgerAccount& account) {
  const LedgerView* view = account.view_after(LedgerAccount::judged_after);
  return view == nullptr ? std::string()
                         : fmt::format("{} {:.0f} %", view->profile, view->probability * 100);
}

std::string first_sign_text(const ForecastError& error) {
  if (error.first_sign) return error_text(*error.first_sign);
  return error.first_sign_within_one ? "none, as told" : "wrong";
}

std::string forecast_text(const LedgerAccount& account) {
  const auto error = account.error();
  if (!error) return {};
  const Duration told = account.view_after(LedgerAccount::judged_after)->gives_up;
  return fmt::format("{:>12}  {:>12}  {:<18} {:>9.2f}  {:<18}", format_since(told),
                     format_since(*account.truth.ended), error_text(error->gives_up),
                     std::abs(error->intervals), first_sign_text(*error));
}

}  // namespace

void LedgerCheck::add(const std::string& scenario, const FinishedFlow& finished) {
  ++flows_;
  for (const LedgerAccount& account : finished.ledgers)
    rows_.push_back({scenario, finished.upstream_profile, account});
  for (const Verdict& verdict : finished.verdicts)
    if (!verdict.kept)
      broken_.push_back(fmt::format("{}, {}: {}: {}", scenario, finished.upstream_profile,
                                    verdict.what, verdict.got));
}

bool LedgerCheck::Forecasts::good() const {
  return std::min(within_one, first_sign_within_one) * 12 >= made * 10;
}

std::vector<LedgerCheck::Forecasts> LedgerCheck::forecasts() const {
  std::vector<Forecasts> all;
  for (const Row& row : rows_) {
    if (!row.account.is_judged()) continue;
    if (all.empty() || all.back().scenario != row.scenario) all.push_back({row.scenario});
    Forecasts& one = all.back();
    ++one.made;
    const auto error = row.account.error();
    if (!error) continue;
    one.within_one += error->within_one ? 1 : 0;
    one.first_sign_within_one += error->first_sign_within_one ? 1 : 0;
  }
  return all;
}

bool LedgerCheck::good() const {
  return broken_.empty() && std::ranges::all_of(forecasts(), &Forecasts::good);
}

std::string LedgerCheck::text() const {
  std::string text = fmt::format(
      "{:<12} {:<16} {:<9} {:<14} {:<14} {:>12}  {:<22} {:>12}  {:>12}  {:<18} {:>9}  {:<18}\n",
      "flow", "profile", "ledger of", "outcome", "it says", "from", "after 5: seems to be",
      "gives up at", "really at", "error", "intervals", "error, first sign");
  for (const Row& row : rows_) {
    const LedgerAccount& account = row.account;
    const bool asked = !account.views.empty();
    text += fmt::format("{:<12} {:<16} {:<9} {:<14} {:<14} {:>12}  {:<22} {}{}\n", row.scenario,
                        row.profile, account.postern, ledger::outcome_name(account.truth.outcome),
                        asked ? ledger::outcome_name(account.views.back().outcome) : "nothing",
                        asked ? format_since(account.views.back().at) : "", seen_text(account),
                        forecast_text(account), account.faults.empty() ? "" : "  WRONG");
  }
  text += "\n";
  for (const Forecasts& one : forecasts())
    text += fmt::format(
        "{}: the forecast after {} attempts is within one retry interval for {} of {}, that of "
        "the first sign for {}{}\n",
        one.scenario, LedgerAccount::judged_after, one.within_one, one.made,
        one.first_sign_within_one, one.good() ? "" : ": TOO FEW");
  for (const std::string& broken : broken_) text += "BROKEN: " + broken + "\n";
  const auto wrong =
      std::ranges::count_if(rows_, [](const Row& row) { return !row.account.faults.empty(); });
  return text + fmt::format("{} flows, {} refused deliveries: the outcome is right in {}{}", flows_,
                            rows_.size(), rows_.size() - wrong,
                            broken_.empty() ? "" : "; see BROKEN above");
}

std::string LedgerCheck::json() const {
  array rows;
  for (const Row& row : rows_)
    rows.push_back(object{{"scenario", row.scenario},
                          {"profile", row.profile},
                          {"ledger", ledger_json(row.account)}});
  array scenarios;
  for (const Forecasts& one : forecasts())
    scenarios.push_back(object{{"scenario", one.scenario},
                               {"made", one.made},
                               {"within_one_interval", one.within_one},
                               {"first_sign_within_one_interval", one.first_sign_within_one}});
  array broken;
  for (const std::string& one : broken_) broken.emplace_back(one);
  return boost::json::serialize(object{{"ok", good()},
                                       {"flows", flows_},
                                       {"rows", std::move(rows)},
                                       {"forecasts", std::move(scenarios)},
                                       {"broken", std::move(broken)}});
}

}  // namespace postern::lab
