#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "ledger/impact.h"
#include "policy/action.h"

namespace postern::app {

// What `postern impact` and `postern replay` print of an impact. All pure; what peers wrote is made
// printable.
/// A mail address, "<>" for the null reverse path.
std::string shown_address(std::string_view address, std::size_t length_max = 80);
/// Some of these addresses.
std::string shown_addresses(const std::vector<std::string>& addresses, std::size_t count_max);
/// "came again and were accepted"
std::string_view outcome_sentence(ledger::Outcome outcome);
/// How many mails came to what; a line for each outcome that there is.
std::string outcomes_table(const ledger::Impact& impact);
std::string states_table(const ledger::Impact& impact);
/// Clients that would be refused, up to `count_max` of them, and how many more there are.
std::string clients_text(const ledger::Impact& impact, std::size_t count_max);
/// `answer_at`: of the configuration that the exemptions are for.
boost::json::object impact_json(const ledger::Impact& impact, policy::AnswerAt answer_at);

}  // namespace postern::app
