#include "ledger/tracker.h"

#include <algorithm>

#include "base/text.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

/// Longer than anybody keeps a message: what comes later is another one.
constexpr Duration quiet_max = 8 * 24h;

std::size_t key_of(const Attempt& attempt) {
  const std::hash<std::string> hash;
  return hash(to_lower(attempt.sender)) * 31 + hash(to_lower(attempt.recipient));
}

bool same_message(const Deferral& deferral, const Attempt& attempt) {
  if (!equal_ignoring_case(deferral.recipient, attempt.recipient) ||
      !equal_ignoring_case(deferral.sender, attempt.sender))
    return false;
  if (attempt.time - deferral.last_attempt > quiet_max) return false;
  // Large senders try again from elsewhere. The same people's mail that comes from elsewhere and is
  // taken is most likely the same mail; reports, which all have the null reverse path, are not.
  if (attempt.accepted && !attempt.sender.empty()) return true;
  if (!attempt.helo.empty() && equal_ignoring_case(deferral.helo, attempt.helo)) return true;
  const IpNetwork network = network_of(attempt.client);
  return std::ranges::any_of(deferral.addresses,
                             [&](const IpAddress& known) { return network.contains(known); });
}

void note(Deferral& deferral, const Attempt& attempt) {
  if (attempt.accepted) {
    deferral.accepted = attempt.time;
    deferral.accepted_from = attempt.client;
    return;
  }
  ++deferral.attempts_count;
  deferral.last_attempt = std::max(deferral.last_attempt, attempt.time);
  if (deferral.attempts.size() < Deferral::attempts_kept)
    deferral.attempts.insert(std::ranges::upper_bound(deferral.attempts, attempt.time),
                             attempt.time);
  const bool known =
      std::ranges::find(deferral.addresses, attempt.client) != deferral.addresses.end();
  if (!known && deferral.addresses.size() < Deferral::addresses_kept)
    deferral.addresses.push_back(attempt.client);
}

}  // namespace

void Tracker::add(const Attempt& attempt) {
  if (Deferral* deferral = find(attempt)) {
    note(*deferral, attempt);
    return;
  }
  if (!attempt.accepted) begin(attempt);
}

// The newest: when two messages are under way between the same two, attempts cannot be told apart.
Deferral* Tracker::find(const Attempt& attempt) {
  const auto [first, last] = open_.equal_range(key_of(attempt));
  auto newest = last;
  for (auto place = first; place != last; ++place)
    if (same_message(deferrals_[place->second], attempt) &&
        (newest == last || place->second > newest->second))
      newest = place;
  if (newest == last) return nullptr;
  Deferral* found = &deferrals_[newest->second];
  if (attempt.accepted) open_.erase(newest);
  return found;
}

void Tracker::begin(const Attempt& attempt) {
  if (deferrals_.size() >= deferrals_max) {
    ++forgotten_;
    return;
  }
  Deferral& deferral = deferrals_.emplace_back();
  deferral.sender = attempt.sender;
  deferral.recipient = attempt.recipient;
  deferral.helo = attempt.helo;
  deferral.last_attempt = attempt.time;
  note(deferral, attempt);
  open_.emplace(key_of(attempt), deferrals_.size() - 1);
}

}  // namespace postern::ledger
