#include "policy/result_cache.h"

#include <algorithm>

#include "base/check.h"

namespace postern::policy {
namespace {

/// RFC 1035 section 3.2.1, RFC 2308 section 5: as long as the DNS allows, and no longer than we do.
/// A TTL above 2^31 is 0 by RFC 2181 section 8 when it comes here.
Duration time_to_live(const UnknownIpVerdict& verdict, const ResultCache::Limits& limits) {
  if (verdict.state == UnknownIpState::temp_error) return limits.undetermined_ttl;
  const Duration ttl_max = verdict.iprev->incomplete               ? limits.undetermined_ttl
                           : verdict.state == UnknownIpState::pass ? limits.positive_ttl_max
                                                                   : limits.negative_ttl_max;
  return std::min<Duration>(seconds(verdict.iprev->ttl_seconds), ttl_max);
}

/// What a result holds, roughly: the sender's zone decides how much.
std::size_t bytes_of(const UnknownIpVerdict& verdict) {
  const auth::Iprev& iprev = *verdict.iprev;
  std::size_t bytes = sizeof verdict + sizeof iprev;
  for (const auth::IprevName& name : iprev.names)
    bytes += sizeof name + name.name.size() + name.addresses.size() * sizeof(IpAddress);
  return bytes;
}

std::shared_ptr<const UnknownIpVerdict> marked_stale(
    const std::shared_ptr<const UnknownIpVerdict>& verdict) {
  if (verdict->stale) return verdict;
  auto stale = std::make_shared<UnknownIpVerdict>(*verdict);
  stale->stale = true;
  return stale;
}

}  // namespace

ResultCache::Found ResultCache::find(const IpAddress& client, SteadyTime now) {
  const auto found = entries_.find(client);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  const bool is_over = now >= entry.until;
  if (is_over && (!entry.verdict->stale || now >= entry.stale_until)) return {};
  used_.splice(used_.begin(), used_, entry.used);
  return {entry.verdict, is_over};
}

std::shared_ptr<const UnknownIpVerdict> ResultCache::put(
    const IpAddress& client, std::shared_ptr<const UnknownIpVerdict> verdict, SteadyTime now,
    const Limits& limits) {
  drop_ended(now);
  const auto [place, is_new] = entries_.try_emplace(client);
  Entry& entry = place->second;
  if (is_new)
    entry.used = used_.insert(used_.begin(), client);
  else
    used_.splice(used_.begin(), used_, entry.used);
  // RFC 8767 section 5: an answer that the DNS gives, also a negative one, replaces stale data.
  if (verdict->state == UnknownIpState::temp_error && now < entry.stale_until) {
    entry.verdict = marked_stale(entry.verdict);
    entry.pause = std::clamp(entry.pause * 2, limits.undetermined_ttl,
                             std::max(limits.undetermined_ttl, refresh_pause_max));
    entry.until = std::min(now + entry.pause, entry.stale_until);
    return entry.verdict;
  }
  if (!is_new) ends_.erase({entry.end(), client});
  entry.until = now + time_to_live(*verdict, limits);
  entry.stale_until =
      verdict->state == UnknownIpState::pass ? entry.until + limits.stale_max : SteadyTime::min();
  ends_.emplace(entry.end(), client);
  entry.pause = {};
  bytes_ -= std::exchange(entry.bytes, bytes_of(*verdict));
  bytes_ += entry.bytes;
  entry.verdict = verdict;
  while (entries_.size() > std::max<std::size_t>(limits.entries_max, 1) ||
         (bytes_ > bytes_max && entries_.size() > 1))
    drop(used_.back());
  return verdict;
}

void ResultCache::drop_ended(SteadyTime now) {
  // Two for each one that comes: so it keeps up, and no client pays for many.
  for (int i = 0; i < 2 && !ends_.empty() && ends_.begin()->first <= now; ++i)
    drop(ends_.begin()->second);
}

void ResultCache::drop(IpAddress client) {
  const auto found = entries_.find(client);
  CHECK(found != entries_.end());
  bytes_ -= found->second.bytes;
  ends_.erase({found->second.end(), client});
  used_.erase(found->second.used);
  entries_.erase(found);
}

void ResultCache::clear() {
  entries_.clear();
  used_.clear();
  ends_.clear();
  bytes_ = 0;
}

}  // namespace postern::policy
