#pragma once

#include <string>

#include "app/command_line.h"
#include "app/configuration.h"
#include "ledger/archive.h"

namespace postern::app {

/// `postern ledger list`
ExitCode ledger_list(const Arguments& arguments);
/// `postern ledger show`
ExitCode ledger_show(const Arguments& arguments);

/// Where a server with this configuration keeps its ledger.
std::string ledger_path(const Configuration& configuration);
/// To read it. The error says what is to be done.
Result<ledger::Archive> open_ledger(const Configuration& configuration);
/// What the ledger has of the case that somebody typed, misread letters allowed for; the newest
/// first, empty when there is none.
Result<std::vector<ledger::Case>> find_case(ledger::Archive& archive, const std::string& typed);

}  // namespace postern::app
