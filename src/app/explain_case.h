#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "app/explain_client.h"
#include "app/explanation.h"
#include "ledger/archive.h"

namespace postern::app {

/// A recipient of a recorded case, and what became of the mail.
struct CaseRecipient {
  ledger::RecordedRefusal recorded;
  std::optional<ledger::RecordedDeferral> deferral;
  std::optional<ledger::Assessment> assessment;  ///< of the deferral, for `RecordedCase::now`
};

/// What there is to tell about one case.
struct RecordedCase {
  std::string case_id;
  WallTime now;
  std::vector<CaseRecipient> recipients;  ///< one at least, in the order of their answers
  std::size_t recipients_left_out = 0;
  ledger::Refusal answer;  ///< the one that is told in full: the first refusal, if there is one
  /// As the answer says; the attempts and the likely servers are those of the recipient that was
  /// tried most.
  Explanation told;
  std::optional<WallTime> accepted;   ///< that recipient's mail, later
  std::optional<WallTime> given_up;   ///< that mail, at the latest then
  std::optional<WallTime> looked_up;  ///< nullopt: the lookups are not kept any more
  std::vector<WallTime> same_id;      ///< older cases that had the same id, the newest first
  std::optional<CheckedClient> today;
};

/// `profile`: what its server is, instead of what it seems to be. Error: no such profile.
Result<RecordedCase> recorded_case(ledger::Archive& archive, std::vector<ledger::Case> found,
                                   WallTime now, const std::string& profile);

// Pure.
std::string case_text(const RecordedCase& recorded);
boost::json::object case_json(const RecordedCase& recorded);
/// A letter to the postmaster of the sender's domain. Error: there is nothing to write about, since
/// the mail was accepted and will be.
Result<std::string> case_letter(const RecordedCase& recorded);

}  // namespace postern::app
