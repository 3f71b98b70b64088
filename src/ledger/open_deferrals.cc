#include "ledger/open_deferrals.h"

#include <algorithm>

#include "base/text.h"

namespace postern::ledger {
namespace {

/// FNV-1a. Who makes two keys collide on purpose makes his own attempts slower to find.
class Hash {
 public:
  explicit Hash(std::uint64_t state = 0xcbf29ce484222325) : state_(state) {}
  Hash& add(char c) {
    state_ = (state_ ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
    return *this;
  }
  Hash& add_ignoring_case(std::string_view text) {
    for (const char c : text) add(ascii_lower(c));
    return add('\0');
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_;
};

}  // namespace

OpenDeferrals::Key OpenDeferrals::pair_key(std::string_view sender, std::string_view recipient) {
  return Hash().add_ignoring_case(sender).add_ignoring_case(recipient).value();
}

OpenDeferrals::Key OpenDeferrals::network_key(Key pair, const IpAddress& client) {
  Hash hash(pair);
  const auto bytes = network_base(client).bytes();
  for (const std::uint8_t byte : bytes) hash.add(static_cast<char>(byte));
  return hash.add('n').value();
}

OpenDeferrals::Key OpenDeferrals::helo_key(Key pair, std::string_view helo) {
  return Hash(pair).add_ignoring_case(pool_of(helo)).add('h').value();
}

void OpenDeferrals::find(const Generation& generation, Key key,
                         const std::function<bool(Id)>& belongs, std::optional<Id>& found) {
  const auto newest = generation.newest.find(key);
  if (newest == generation.newest.end()) return;
  Id id = newest->second;
  for (int i = 0; i < looked_at_max && (!found || id > *found); ++i) {
    if (belongs(id)) {
      found = id;
      return;
    }
    const auto older = generation.older.find({key, id});
    if (older == generation.older.end()) return;
    id = older->second;
  }
}

OpenDeferrals::Keys OpenDeferrals::keys_of(const Attempt& attempt) {
  Keys keys;
  keys.pair = pair_key(attempt.sender, attempt.recipient);
  keys.from_anywhere = attempt.accepted && !attempt.sender.empty();
  if (keys.from_anywhere) return keys;
  keys.network = network_key(keys.pair, attempt.client);
  if (!attempt.helo.empty()) keys.helo = helo_key(keys.pair, attempt.helo);
  return keys;
}

std::optional<OpenDeferrals::Id> OpenDeferrals::find(const Keys& attempt,
                                                     const std::function<bool(Id)>& belongs) const {
  std::optional<Id> found;
  const auto look = [&](Key key) {
    for (const Generation* generation : {&now_, &before_}) find(*generation, key, belongs, found);
  };
  if (attempt.from_anywhere) {
    look(attempt.pair);
    return found;
  }
  look(attempt.network);
  if (attempt.helo) look(*attempt.helo);
  return found;
}

void OpenDeferrals::add(Key key, Id id) {
  const auto [place, added] = now_.newest.emplace(key, id);
  if (added || place->second == id) return;
  now_.older.insert_or_assign({key, id}, place->second);
  place->second = id;
}

void OpenDeferrals::add(Id id, const Keys& attempt) {
  add(attempt.pair, id);
  add(attempt.network, id);
  if (attempt.helo) add(*attempt.helo, id);
  make_room();
}

void OpenDeferrals::add(Id id, const Deferral& deferral) {
  const Key pair = pair_key(deferral.sender, deferral.recipient);
  add(pair, id);
  for (const IpAddress& address : deferral.addresses) add(network_key(pair, address), id);
  if (!deferral.helo.empty()) add(helo_key(pair, deferral.helo), id);
  make_room();
}

void OpenDeferrals::make_room() {
  if (now_.newest.size() + now_.older.size() < half_) return;
  before_ = std::move(now_);
  now_ = Generation();
}

}  // namespace postern::ledger
