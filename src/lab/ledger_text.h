#pragma once

#include <string>
#include <vector>

#include "lab/ledger_account.h"

namespace postern::lab {

/// For people: what each ledger said after one attempt, after five and at the end, with the truth
/// beside it. Empty when nothing was refused.
std::string ledgers_text(const std::vector<LedgerAccount>& accounts, const Scenario& scenario,
                         const upstream::Profiles& profiles);

/// "0:00:03 early", "exact".
std::string error_text(Duration error);

}  // namespace postern::lab
