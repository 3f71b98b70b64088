#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/log_census.h"
#include "ledger/recorded_mail.h"

namespace postern::ledger {

/// A client that would be refused.
struct RefusedClient {
  IpAddress address;
  Finding finding;
  LoggedClient seen;
  std::uint64_t messages = 0;  ///< that it would concern
  /// Why its mail is likely wanted, in words; empty when nothing speaks for it. That mail of it was
  /// accepted is no reason: without the check spam is accepted too.
  std::vector<std::string> wanted_because;
  /// One of the reasons stands on more than what anybody can write into an envelope.
  bool to_exempt = false;
};

/// What the option would have done to mail that was logged or recorded.
struct Impact {
  struct Sum {
    std::uint64_t clients = 0;
    std::uint64_t messages = 0;
    std::uint64_t senders = 0;  ///< different ones
    std::uint64_t recipients = 0;
  };
  std::map<std::string, Sum> by_state;  ///< of the clients with a finding
  Sum refused;                          ///< of them
  std::uint64_t not_looked_up = 0;      ///< clients without a finding
  /// Those to exempt first, then the likely wanted ones, each group by its messages.
  std::vector<RefusedClient> clients;
  /// Of the mail that was refused for its client's name, by Outcome.
  std::array<std::uint64_t, 4> outcomes{};
};

/// Of a mail log. Its messages are those that the log's server accepted.
Impact make_impact(const LogCensus& census, const std::unordered_map<IpAddress, Finding>& findings,
                   const upstream::Profiles& profiles);
/// Of what the ledger has recorded. Its messages are those that were refused or would have been.
Impact make_impact(const RecordedMail& mail);

}  // namespace postern::ledger
