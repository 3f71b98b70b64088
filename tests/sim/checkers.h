#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "history.h"

namespace postern::sim {

/// Each says what is wrong with a run, a line each; empty when nothing is.
using Findings = std::vector<std::string>;

/// RFC 5321 section 4.2.5: what was acknowledged is at the next hop, or in a report to the reverse
/// path, or a dead letter where nobody may be told.
Findings lost(const History& history);
/// RFC 5321 section 4.5.4.1: a second copy only where somebody could not know of the first.
Findings repeated(const History& history);
/// What failed while nobody may be told (RFC 5321 section 6.1) is a dead letter in the end, whole;
/// nothing else is.
Findings dropped(const History& history);
/// RFC 5321 section 6.1, RFC 3461 section 5.2: no report for a null reverse path, for NOTIFY=NEVER,
/// of what was not asked for, of what did not happen, or with another's names.
Findings reported_wrongly(const History& history);
/// RFC 3461 section 5.2: what was asked for is passed on, or told by us, and never both.
Findings dsn_neglected(const History& history);
/// No mail for others' domains, none of refused clients, no 5xx that the DNS's silence caused.
Findings admitted_wrongly(const History& history);
/// The ledger has every refusal that its client heard of, since it began with the last crash; none
/// that was not, and a recovery where there was one.
Findings misrecorded(const History& history);
/// RFC 5321 section 4.5.4.1: attempts follow the retry list; given up at the lifetime's end, not
/// before, and not long after; a delay is told when it is one.
Findings ill_timed(const History& history);
/// Limits, and sessions of clients that say nothing more.
Findings exceeded(const History& history);
/// Everything ended: sessions, leases, the queue, the server.
Findings left_over(const History& history);

Findings everything_wrong_with(const History& history);

/// How much happened, and why there were second copies, for the sums of many runs.
std::map<std::string, std::uint64_t> sums_of(const History& history);

}  // namespace postern::sim
