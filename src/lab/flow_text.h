#pragma once

#include <string>

#include "lab/account.h"
#include "lab/expectations.h"
#include "lab/flow.h"

namespace postern::lab {

/// How much of a flow is shown.
enum class Detail : std::uint8_t {
  summed_up,  ///< attempts like one that was shown already are summed up
  all,        ///< every attempt, the DNS lookups, and Postern's log
};

/// What is shown at the beginning: title, story, who is who.
std::string flow_heading(const Flow& flow, const upstream::Profiles& profiles);
/// The timeline, with the dialogues.
std::string flow_timeline(const Flow& flow, Detail detail);
/// Who was responsible, the reports, and what the users saw.
std::string flow_account(const Flow& flow, const Account& account);
/// One line for each expectation.
std::string flow_verdicts(const std::vector<Verdict>& verdicts);

}  // namespace postern::lab
