#pragma once

#include <string>
#include <vector>

#include "history.h"

namespace postern::sim {

/// Each says what is wrong with a run, a line each; empty when nothing is.
using Findings = std::vector<std::string>;

/// RFC 5321 section 4.2.5: what was acknowledged is at the next hop, or in a report to the reverse
/// path, or refused for good where nobody may be told.
Findings lost(const History& history);
/// RFC 5321 section 4.5.4.1: a second copy only where somebody could not know of the first.
Findings repeated(const History& history);
/// RFC 5321 section 6.1, RFC 3461 section 5.2: no report for a null reverse path, for NOTIFY=NEVER,
/// for what was delivered, or for what was never taken.
Findings reported_wrongly(const History& history);
/// No mail for others' domains, none of refused clients, no 5xx that the DNS's silence caused.
Findings admitted_wrongly(const History& history);
/// Limits.
Findings exceeded(const History& history);
/// Everything ended: sessions, leases, the queue, the server.
Findings left_over(const History& history);

Findings everything_wrong_with(const History& history);

}  // namespace postern::sim
