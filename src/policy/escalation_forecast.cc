#include "policy/escalation_forecast.h"

#include "policy/unknown_ip.h"

namespace postern::policy {

std::optional<Duration> escalates_after(std::span<const Duration> attempts,
                                        const EscalationOptions& options) {
  Escalation escalation(1);
  for (const Duration at : attempts)
    if (escalation.note({}, UnknownIpState::no_ptr, {}, SteadyTime(at), options)) return at;
  return std::nullopt;
}

}  // namespace postern::policy
