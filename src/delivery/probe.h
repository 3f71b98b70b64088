#pragma once

#include <cstdint>
#include <string_view>

#include "delivery/outcome.h"

namespace postern::delivery {

/// Whether a next hop takes mail for a recipient.
enum class ProbeVerdict : std::uint8_t { exists, unknown, undecided };
/// "exists", "unknown", "undecided", as the log writes them.
std::string_view verdict_name(ProbeVerdict verdict);

/// What asking about one recipient came to; `outcome` holds the next hop's words, or ours.
struct ProbeResult {
  ProbeVerdict verdict = ProbeVerdict::undecided;
  Outcome outcome;
};

/// What the outcome of a transaction without DATA says of its recipient. `unknown` only when the
/// next hop refuses the recipient itself, for good: a refusal that speaks of us, of the probe's
/// sender, of rights, of room or of now must not turn a whole domain's mail away.
ProbeVerdict probe_verdict(const smtp::ClientOutcome& outcome);

}  // namespace postern::delivery
