#include "policy/escalation_forecast.h"

#include "policy/unknown_ip.h"

namespace postern::policy {

std::optional<Duration> escalates_after(std::span<const Duration> attempts,
                                        const EscalationOptions& options) {
  Escalation escalation(1);
  for (const Duration at : attempts) {
    const SteadyTime now(at);
    if (escalation.is_due({}, UnknownIpState::no_ptr, {}, now, options)) return at;
    escalation.note({}, UnknownIpState::no_ptr, {}, now);
  }
  return std::nullopt;
}

}  // namespace postern::policy
