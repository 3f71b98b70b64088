#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "ledger/deferral.h"

namespace postern::ledger {

/// Finds the deferral that an attempt belongs to, without holding deferrals: hashes of sender and
/// recipient, alone, with a network and with a HELO, lead to ids, which the caller then looks at.
/// About 24 bytes a key, some three keys a deferral.
class OpenDeferrals {
 public:
  using Id = std::int64_t;  ///< ascends with the beginning of the deferrals

  /// Beyond `keys_max` those are forgotten that were not added, or added to, for the longest time:
  /// a half of all at once.
  explicit OpenDeferrals(std::size_t keys_max) : half_(keys_max / 2) {}

  /// What leads from an attempt to deferrals.
  class Keys;
  static Keys keys_of(const Attempt& attempt);

  /// The newest that the attempt may belong to and `belongs` agrees about; when two messages are
  /// under way between the same two, attempts cannot be told apart.
  std::optional<Id> find(const Keys& attempt, const std::function<bool(Id)>& belongs) const;
  /// A refused attempt of the deferral `id`, its first or a later one.
  void add(Id id, const Keys& attempt);
  /// A deferral as it was kept.
  void add(Id id, const Deferral& deferral);

  [[nodiscard]] std::size_t keys() const { return now_.newest.size() + before_.newest.size(); }

 private:
  using Key = std::uint64_t;
  /// A key may lead to several: those that ended stay behind the newest until they are forgotten.
  struct Generation {
    boost::unordered_flat_map<Key, Id> newest;
    boost::unordered_flat_map<std::pair<Key, Id>, Id> older;
  };
  static constexpr int looked_at_max = 16;  ///< of one key

  static Key pair_key(std::string_view sender, std::string_view recipient);
  static Key network_key(Key pair, const IpAddress& client);
  static Key helo_key(Key pair, std::string_view helo);
  /// Into `found` when there is one that is newer than what is there.
  static void find(const Generation& generation, Key key, const std::function<bool(Id)>& belongs,
                   std::optional<Id>& found);
  void add(Key key, Id id);
  void make_room();

  std::size_t half_;
  Generation now_;
  Generation before_;
};

class OpenDeferrals::Keys {
  friend OpenDeferrals;
  Key pair = 0;
  Key network = 0;
  std::optional<Key> helo;
  bool from_anywhere = false;  ///< an acceptance, which only `pair` has to do with
};

}  // namespace postern::ledger
