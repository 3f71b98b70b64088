#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/configuration.h"
#include "base/ip.h"
#include "base/result.h"
#include "io/real/shard.h"
#include "ledger/impact.h"

namespace postern::app {

using Findings = std::unordered_map<IpAddress, ledger::Finding>;

/// What the check says of each client today, asked for at most `lookups_per_second`. With a journal
/// the lookups behind it are written down at once, and those of the last day that it holds are not
/// made again, so that an interrupted run goes on where it was.
class ReplayLookups {
 public:
  struct Options {
    Configuration::UnknownIp unknown_ip;
    Configuration::Dns dns;
    std::uint64_t lookups_per_second = 100;
    std::string journal;  ///< a file; empty: none
  };
  explicit ReplayLookups(Options options) : options_(std::move(options)) {}

  /// `progress` is called with how many of `clients` have a finding. Error: the journal cannot be
  /// written or is none, or the resolver cannot be made; for the operator. A client whose lookup
  /// got no answer has the finding "temperror", which the journal does not keep.
  Result<Findings> look_up(io::RealShard& shard, const std::vector<IpAddress>& clients,
                           const std::function<void(std::size_t)>& progress);

 private:
  Options options_;
};

}  // namespace postern::app
