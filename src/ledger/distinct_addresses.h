#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/ip.h"

namespace postern::ledger {

/// The different senders, or recipients, of each client's mail; hashes of them, in any case.
class DistinctAddresses {
 public:
  static constexpr std::size_t pairs_max = 4'000'000;  ///< what is beyond is not counted

  void add(const IpAddress& client, std::string_view address);
  /// Which group a client belongs to; nullptr: none.
  using GroupOf = std::function<const std::string*(const IpAddress&)>;
  /// How many different addresses the mail of each group's clients has.
  [[nodiscard]] std::map<std::string, std::uint64_t> count_by(const GroupOf& group_of) const;

 private:
  using Pair = std::pair<IpAddress, std::size_t>;
  struct Hash {
    std::size_t operator()(const Pair& pair) const {
      return std::hash<IpAddress>{}(pair.first) * 31 + pair.second;
    }
  };
  boost::unordered_flat_set<Pair, Hash> pairs_;
};

}  // namespace postern::ledger
