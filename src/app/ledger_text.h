#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "ledger/archive.h"

namespace postern::app {

// How deferrals look, to people and to programs. Pure, but for shown_deferral, which reads; what
// peers wrote is made printable.
/// ", EHLO mail.example.com", ", through 192.0.2.1"; empty when there is nothing to tell.
std::string greeting_text(upstream::Greeting greeting, std::string_view helo);
std::string via_text(const std::optional<IpAddress>& via);
/// Its address, or null.
boost::json::value via_json(const std::optional<IpAddress>& via);
/// What it has come to and what is to come, a few lines.
std::string outcome_text(const ledger::Deferral& deferral, const ledger::Assessment& assessment,
                         WallTime now);
boost::json::object deferral_json(std::int64_t id, const ledger::Deferral& deferral,
                                  const ledger::Assessment& assessment);

boost::json::object listed_json(const ledger::ListedDeferral& listed);
std::string deferral_table_head();
std::string deferral_table_row(const ledger::ListedDeferral& listed, WallTime now);

/// One deferral with everything that is kept of it.
struct ShownDeferral {
  ledger::RecordedDeferral recorded;
  /// Those of its attempts whose refusal is still kept, in the order of their time.
  std::vector<ledger::RecordedRefusal> refusals;
  std::vector<upstream::Candidate> upstreams;  ///< who its server may be
  ledger::Assessment assessment;
  WallTime now;
};
Result<ShownDeferral> shown_deferral(ledger::Archive& archive, ledger::RecordedDeferral recorded,
                                     WallTime now);
std::string shown_text(const ShownDeferral& shown);
boost::json::object shown_json(const ShownDeferral& shown);

}  // namespace postern::app
