#pragma once

#include <optional>
#include <span>

#include "base/time.h"
#include "policy/escalation.h"

namespace postern::policy {

/// When a server that tries at these times after its first attempt, ascending, is first answered
/// for good, if the DNS says the same of it all the while. nullopt: never, it gives up before or
/// tries too seldom.
std::optional<Duration> escalates_after(std::span<const Duration> attempts,
                                        const EscalationOptions& options);

}  // namespace postern::policy
