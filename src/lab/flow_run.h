#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/account.h"
#include "lab/expectations.h"
#include "lab/flow.h"
#include "lab/ledger_account.h"

namespace postern::lab {

/// A flow that is over, and what there is to say of it.
struct FinishedFlow {
  std::unique_ptr<Flow> flow;
  Account account;
  std::vector<LedgerAccount> ledgers;
  std::vector<Verdict> verdicts;
  std::string upstream_profile;  ///< of the scenario's upstream server; may be empty

  [[nodiscard]] bool good() const;
};

/// The scenario with another profile for its upstream server; time is enough for that profile. Of
/// what the scenario expects nothing is left then: it holds for its own profile.
Scenario with_profile(Scenario scenario, const upstream::Profile& profile);

/// What there is to say of a flow that is over.
FinishedFlow finish(std::unique_ptr<Flow> flow, const upstream::Profiles& profiles);

/// Starts a flow and lets all its time pass at once.
Result<FinishedFlow> run_flow(const Scenario& scenario, const upstream::Profiles& profiles,
                              std::uint64_t seed);

/// A flow in short.
struct FlowRow {
  std::string profile;
  std::size_t attempts = 0;
  std::optional<Duration> first_sign;  ///< to the sender's user; nothing: never
  std::optional<Duration> report;      ///< of failure
  std::string from;                    ///< of that
  std::string by;
  bool quotes_reply = false;
  bool good = false;
};
FlowRow row_of(const FinishedFlow& finished);

/// One line for each flow: profile, attempts, first sign to the user, report, from whom.
std::string flow_table(const std::vector<FinishedFlow>& flows, const upstream::Profiles& profiles);

}  // namespace postern::lab
