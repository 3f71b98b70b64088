#pragma once

#include <string>
#include <vector>

#include "lab/account.h"
#include "lab/flow.h"

namespace postern::lab {

/// Whether something came out as it must.
struct Verdict {
  bool kept = false;
  std::string what;  ///< what must come out
  std::string got;   ///< what did
};

/// The scenario's own expectations.
std::vector<Verdict> judge_expectations(const Flow& flow, const Account& account);

/// Whether a server of the flow did what its profile says, for each message that was answered 4xx
/// whenever it tried to pass it on: when it tried, when and by whom its user was told, and with
/// whose words. Worked out from what was on the wire and in the mailboxes, not by the server.
std::vector<Verdict> judge_profile(const Flow& flow, const Account& account,
                                   const upstream::Profile& profile, const std::string& server);

/// The times at which a server tried to pass on one message, several hosts of one attempt counted
/// once.
std::vector<Duration> attempt_times(const Flow& flow, const std::string& server,
                                    const std::string& sender, const std::string& recipient);

}  // namespace postern::lab
