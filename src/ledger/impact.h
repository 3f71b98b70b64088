#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/log_census.h"

namespace postern::ledger {

/// What the check says of a client today.
struct Finding {
  std::string state;     ///< "pass", "no_ptr", ...
  std::string cause;     ///< what has to be mended, or the confirmed name, or why it was skipped
  bool refused = false;  ///< it would be answered 4xx or 5xx
};

/// A client that would be refused.
struct RefusedClient {
  IpAddress address;
  Finding finding;
  LoggedClient seen;
  /// Why its mail is likely wanted, in words; empty when nothing speaks for it.
  std::vector<std::string> wanted_because;
};

/// What the option would have done to the mail of a log.
struct Impact {
  struct Sum {
    std::uint64_t clients = 0;
    std::uint64_t messages = 0;  ///< that the log's server accepted
  };
  std::map<std::string, Sum> by_state;  ///< of the clients with a finding
  Sum refused;                          ///< of them
  std::uint64_t not_looked_up = 0;      ///< clients without a finding
  /// Likely wanted ones first, each group by its messages.
  std::vector<RefusedClient> clients;
  /// Of the mail that the log's server refused for its client's name, by Outcome.
  std::array<std::uint64_t, 4> outcomes{};
};

Impact make_impact(const LogCensus& census, const std::unordered_map<IpAddress, Finding>& findings,
                   const upstream::Profiles& profiles);

}  // namespace postern::ledger
