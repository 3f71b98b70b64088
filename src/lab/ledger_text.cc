#include "lab/ledger_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace postern::lab {
namespace {

using ledger::Outcome;

std::string optional_time(const std::optional<Duration>& time) {
  return time ? format_since(*time) : "never";
}

std::string product_of(const upstream::Profiles& profiles, const std::string& name) {
  const upstream::Profile* profile = profiles.find(name);
  return profile == nullptr ? name : profile->product;
}

std::string percent(double probability) {
  return fmt::format("{:.0f} %", probability * 100);
}

// The attempt after so many, when there was one.
std::string real_next(const LedgerTruth& truth, std::size_t attempts) {
  if (truth.attempts.size() > attempts) return format_since(truth.attempts[attempts]);
  return truth.outcome == Outcome::recovered && truth.ended ? format_since(*truth.ended) : "none";
}

std::string forecast_text(const LedgerAccount& account, const LedgerView& view,
                          const upstream::Profiles& profiles) {
  const LedgerTruth& truth = account.truth;
  const bool over = truth.outcome == Outcome::never_retried ||
                    (truth.outcome == Outcome::given_up && !truth.refused_for_good);
  const std::string product = product_of(profiles, view.profile);
  std::string text = fmt::format(
      "    after {} attempt{} ({}): {}\n"
      "      upstream      {}, {}{}\n"
      "      next attempt  {}; really {}\n"
      "      first sign    {}; really {}\n"
      "      gives up      {}",
      view.attempts, view.attempts == 1 ? "" : "s", format_since(view.at),
      ledger::outcome_name(view.outcome), product, percent(view.probability),
      truth.profile.empty() ? std::string() : "; really " + product_of(profiles, truth.profile),
      format_since(view.next_attempt), real_next(truth, view.attempts),
      optional_time(view.first_sign), optional_time(truth.first_sign), format_since(view.gives_up));
  if (over && truth.ended)
    text += fmt::format("; really {}: {}", format_since(*truth.ended),
                        error_text(view.gives_up - *truth.ended));
  const auto error = account.error();
  if (error && view.attempts == LedgerAccount::judged_after)
    text += fmt::format(", {:.2f} retry intervals", std::abs(error->intervals));
  return text + "\n";
}

std::string end_text(const LedgerAccount& account) {
  const LedgerView& view = account.views.back();
  std::string text =
      fmt::format("    {} from {} on, after {} attempt{}", ledger::outcome_name(view.outcome),
                  format_since(view.at), view.attempts, view.attempts == 1 ? "" : "s");
  if (const ledger::Deferral& deferral = account.deferral; deferral.accepted) {
    const bool known =
        std::ranges::find(deferral.addresses, deferral.accepted_from) != deferral.addresses.end();
    text +=
        fmt::format(", {} after the first, from {} {}",
                    format_since(*deferral.accepted - deferral.attempts.front()),
                    known ? "the same address" : "another address,", deferral.accepted_from.text());
  }
  if (account.truth.ended)
    text += fmt::format("; really {}{} at {}", ledger::outcome_name(account.truth.outcome),
                        account.truth.refused_for_good ? ", since refused for good," : "",
                        format_since(*account.truth.ended));
  text += "\n";
  for (const std::string& fault : account.faults) text += "    WRONG: it " + fault + "\n";
  return text;
}

}  // namespace

std::string error_text(Duration error) {
  const Duration off = std::chrono::round<seconds>(std::chrono::abs(error));
  if (off == Duration{}) return "exact";
  return fmt::format("{} {}", format_since(off), error < Duration{} ? "early" : "late");
}

std::string ledgers_text(const std::vector<LedgerAccount>& accounts, const Scenario& scenario,
                         const upstream::Profiles& profiles) {
  std::string text;
  for (const LedgerAccount& account : accounts) {
    text += fmt::format("  {}: <{}> to <{}>\n", name_of_host(scenario, account.postern),
                        account.sender, account.recipient);
    for (const LedgerView& view : account.views)
      if (&view != &account.views.back()) text += forecast_text(account, view, profiles);
    if (!account.views.empty()) text += end_text(account);
  }
  return text;
}

}  // namespace postern::lab
