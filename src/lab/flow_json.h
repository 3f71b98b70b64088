#pragma once

#include <string>
#include <vector>

#include "lab/flow_run.h"

namespace postern::lab {

/// Everything of one flow as a JSON document: servers, happenings, attempts with their dialogues,
/// lookups, custody, reports, users, verdicts. Times in seconds since the beginning, with
/// fractions.
std::string flow_json(const FinishedFlow& finished, const std::string& scenario_name,
                      std::uint64_t seed);
/// Several flows, one for each profile, with the table.
std::string flows_json(const std::vector<FinishedFlow>& flows, const std::string& scenario_name,
                       std::uint64_t seed);
/// The profiles.
std::string profiles_json(const upstream::Profiles& profiles);

}  // namespace postern::lab
