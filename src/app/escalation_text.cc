#include "app/escalation_text.h"

#include <fmt/format.h>

#include "policy/escalation_forecast.h"

namespace postern::app {
namespace {

std::string upstream_line(const upstream::Profile& profile,
                          const policy::EscalationOptions& options) {
  if (!profile.reports) return fmt::format("  {}: nobody is told either way\n", profile.product);
  const auto after = policy::escalates_after(profile.attempts(), options);
  if (!after || *after >= profile.give_up)
    return fmt::format("  {}: gives up before\n", profile.product);
  return fmt::format("  {}: after {}, not only after {}\n", profile.product,
                     format_duration(*after), format_duration(profile.give_up));
}

}  // namespace

std::string escalation_text(const policy::EscalationOptions& options, policy::UnknownIpState state,
                            policy::Action action,
                            const std::vector<upstream::Candidate>& upstreams) {
  if (!policy::is_reply(action) || action == policy::Action::reply_550 ||
      state == policy::UnknownIpState::temp_error)
    return {};
  if (!options.enabled)
    return "\nEscalation: off, so that it reads this until it gives up "
           "([unknown_ip.escalation]).\n";
  std::string text = fmt::format(
      "\nEscalation: after {} attempts in {} or more with the same finding it reads 550, and its "
      "server reports at once. If it is\n",
      options.after_attempts, format_duration(options.after));
  for (const upstream::Candidate& candidate : upstreams)
    text += upstream_line(*candidate.profile, options);
  return text;
}

}  // namespace postern::app
