#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/account.h"
#include "lab/expectations.h"
#include "lab/flow.h"
#include "ledger/deferral.h"

namespace postern::lab {

// What the ledgers of a flow's Posterns say of the mail that was refused, beside what became of it.
// Times are since the beginning.

/// Whether a reply refuses its client for its address: for now, or for good.
bool is_refused_client(std::string_view reply);
bool is_refused_for_good(std::string_view reply);

/// What a ledger says of a delivery at one moment.
struct LedgerView {
  Duration at{};
  std::uint32_t attempts = 0;  ///< refused until then
  ledger::Outcome outcome = ledger::Outcome::retrying;
  std::string profile;     ///< who the upstream server seems to be
  double probability = 0;  ///< of that
  Duration next_attempt{};
  std::optional<Duration> first_sign;  ///< to its user; nothing: never
  Duration gives_up{};
};

/// What became of it: on the wire, in the mailboxes, and when the upstream server gave up.
struct LedgerTruth {
  std::string upstream;  ///< the id of the server that tried
  std::string profile;   ///< its; empty: it has none
  ledger::Outcome outcome = ledger::Outcome::retrying;
  std::vector<Duration> attempts;  ///< refused; those of one moment once
  std::optional<Duration> ended;   ///< accepted, or given up
  bool refused_for_good = false;   ///< and therefore given up
  std::optional<Duration> first_sign;
  IpAddress accepted_from;  ///< when it was accepted
};

/// How far a forecast was from the truth.
struct ForecastError {
  Duration gives_up{};                 ///< forecast less real
  Duration interval{};                 ///< the upstream's next wait when it was made
  double intervals = 0;                ///< how many of those it is
  bool within_one = false;             ///< of them
  std::optional<Duration> first_sign;  ///< forecast less real, when there was to be one, and was
  bool first_sign_within_one = false;  ///< or there was to be none, and was none
};

/// One delivery that a Postern refused, and what its ledger said of it.
struct LedgerAccount {
  static constexpr std::uint32_t judged_after = 5;  ///< attempts

  std::string postern;  ///< its id
  std::string sender;
  std::string recipient;
  LedgerTruth truth;
  std::vector<LedgerView> views;    ///< after 1 attempt, after `judged_after`, at the end
  ledger::Deferral deferral;        ///< as it was kept at the end
  std::vector<std::string> faults;  ///< what it said that was not so

  [[nodiscard]] const LedgerView* view_after(std::uint32_t attempts) const;
  /// Whether there is to be a forecast that can be held against the truth: it came to so many
  /// attempts, and its upstream gave up by itself.
  [[nodiscard]] bool is_judged() const;
  /// Of the forecast after `judged_after` attempts; nothing when none is judged, or none was made.
  [[nodiscard]] std::optional<ForecastError> error() const;
};

/// In the order of the first refusals. `account` is the flow's. With a ledger that says something
/// that is not so, at any moment, there are faults: it is asked at each attempt, often in between,
/// and long after the end.
std::vector<LedgerAccount> ledger_accounts(const Flow& flow, const Account& account,
                                           const upstream::Profiles& profiles);

/// One for each: that the ledger's outcome is right, and was never wrong before.
std::vector<Verdict> judge_ledgers(const Flow& flow, const std::vector<LedgerAccount>& accounts);

}  // namespace postern::lab
