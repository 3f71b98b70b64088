#pragma once

#include <boost/json/object.hpp>

#include "lab/ledger_account.h"

namespace postern::lab {

/// What a ledger said and what was true. Times in seconds since the beginning.
boost::json::object ledger_json(const LedgerAccount& account);

}  // namespace postern::lab
