#pragma once

#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "app/configuration.h"
#include "app/explanation.h"
#include "base/result.h"
#include "io/real/shard.h"

namespace postern::app {

/// A client that was checked just now.
struct CheckedClient {
  Explanation told;
  policy::UnknownIpMode mode = policy::UnknownIpMode::observe;
  std::string override_name;  ///< the override that gives the action, or empty
  /// One that would say something of this client, and is over.
  std::optional<policy::Override> expired_override;
  std::string skipped_because;
  policy::EscalationOptions escalation;
};

/// The check of the client that `asked` names, as `enforce` does it with this configuration; blocks
/// for its lookups. Error: no resolver can be made, or it does not end in time.
Result<CheckedClient> check_client(io::RealShard& shard, const Configuration& configuration,
                                   Explanation asked);

// Pure.
std::string client_text(const CheckedClient& client);
boost::json::object client_json(const CheckedClient& client);
/// A letter to the postmaster of the sender's domain, of this time. Error: the client is accepted.
Result<std::string> client_letter(const CheckedClient& client, WallTime now);

}  // namespace postern::app
