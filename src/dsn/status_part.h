#pragma once

#include <string>

#include "dsn/compose.h"
#include "dsn/typed_address.h"

namespace postern::dsn {

/// RFC 3464 section 2: the fields of the message, then of each recipient, for programs.
std::string status_part(const Report& report, AddressForm form, const ComposeLimits& limits);

/// The status that is told: the given one when it is one and of the action's class.
std::string told_status(const RecipientResult& result);

}  // namespace postern::dsn
