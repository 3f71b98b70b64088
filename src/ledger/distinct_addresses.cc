#include "ledger/distinct_addresses.h"

#include "base/text.h"

namespace postern::ledger {

void DistinctAddresses::add(const IpAddress& client, std::string_view address) {
  if (pairs_.size() < pairs_max)
    pairs_.emplace(client, std::hash<std::string>{}(to_lower(address)));
}

std::map<std::string, std::uint64_t> DistinctAddresses::count_by(const GroupOf& group_of) const {
  std::map<std::string, boost::unordered_flat_set<std::size_t>> groups;
  for (const auto& [client, address] : pairs_)
    if (const std::string* group = group_of(client)) groups[*group].insert(address);
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [group, addresses] : groups) counts[group] = addresses.size();
  return counts;
}

}  // namespace postern::ledger
