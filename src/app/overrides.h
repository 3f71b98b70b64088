#pragma once

#include <string>
#include <vector>

#include "policy/overrides.h"
#include "settings/section.h"

namespace postern::app {

/// Reads the [[unknown_ip.override]]s of [unknown_ip]. Warns of those that never count since
/// clients are answered at a step where their conditions are not known yet.
policy::Overrides read_overrides(settings::Section& unknown_ip, policy::AnswerAt answer_at);

/// A warning of each that is over; `file` is that of the configuration.
std::vector<settings::Diagnostic> warn_of_expired(const policy::Overrides& overrides,
                                                  const std::string& file, WallTime now);

/// The last day of an override, "2027-01-31": what begins when it is over, by UTC.
settings::Parsed<WallTime> parse_last_day(std::string_view text);

}  // namespace postern::app
