#pragma once

#include <string>
#include <string_view>

#include "policy/breaker.h"

namespace postern::policy {

/// What the administrator reads of the breaker: in the log, in mail and in `postern status`.

/// One sentence: "12 of 14 client networks whose reverse names could be looked up before get no
/// answer now".
std::string reading_text(const BreakerReading& reading);
/// What is likely wrong, and where to look first. Sentences on one line, less than 300 bytes.
std::string_view breaker_advice(BreakerSignal signal);
/// What happens next, and what it depends on; empty when the breaker is closed.
std::string what_closes(const BreakerStatus& status);

}  // namespace postern::policy
