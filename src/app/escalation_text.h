#pragma once

#include <string>
#include <vector>

#include "policy/action.h"
#include "policy/escalation.h"
#include "policy/unknown_ip.h"
#include "upstream/recognition.h"

namespace postern::app {

/// What [unknown_ip.escalation] makes of a refusal by this state and its own action, a few lines
/// for people; for each server that the client may be, when. Empty: nothing, since it is accepted,
/// refused for good anyway, or has no answer of the DNS.
std::string escalation_text(const policy::EscalationOptions& options, policy::UnknownIpState state,
                            policy::Action action,
                            const std::vector<upstream::Candidate>& upstreams);

}  // namespace postern::app
