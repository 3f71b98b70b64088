#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "app/command_line.h"
#include "ledger/impact.h"
#include "policy/action.h"

namespace postern::app {

/// `postern impact`: what the option would refuse, or has refused, of the mail that was recorded.
ExitCode impact(const Arguments& arguments);

/// What the impact is shown with.
struct ImpactReport {
  ledger::Impact impact;
  ledger::RecordedMail::Counts counts;
  policy::AnswerAt answer_at = policy::AnswerAt::rcpt;  ///< of the configuration
  WallTime since;
  std::size_t clients_shown_max = 20;
};
// Pure.
std::string recorded_impact_text(const ImpactReport& report);
boost::json::object recorded_impact_json(const ImpactReport& report);

}  // namespace postern::app
