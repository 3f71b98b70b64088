#pragma once

#include <string>

#include "admin/commands.h"
#include "policy/breaker.h"

namespace postern::server {

/// What the administrator reads of the breaker.
admin::Breaker breaker_for_people(const policy::BreakerStatus& status, WallTime now);

/// The same as one line, for a breaker that is not closed.
std::string trouble_of(const admin::Breaker& breaker);

}  // namespace postern::server
