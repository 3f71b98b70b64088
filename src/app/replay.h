#pragma once

#include <string>

#include "app/command_line.h"
#include "ledger/impact.h"
#include "policy/action.h"

namespace postern::app {

/// `postern replay`: what the option would do to the mail that another server's logs tell of.
ExitCode replay(const Arguments& arguments);

/// What the impact is made from and shown with.
struct ReplayReport {
  ledger::Impact impact;
  ledger::LogCensus::Counts counts;
  std::size_t clients_seen = 0;
  std::size_t files = 0;
  std::size_t clients_shown_max = 20;
  bool looked_up = true;
  policy::AnswerAt answer_at = policy::AnswerAt::rcpt;  ///< of the configuration
};
/// Pure.
std::string replay_text(const ReplayReport& report);
std::string replay_json(const ReplayReport& report, const ledger::LogCensus& census);

}  // namespace postern::app
