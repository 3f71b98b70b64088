#include "policy/breaker_samples.h"

#include "base/check.h"

namespace postern::policy {
namespace {

/// Whether a sample is too old to count, of `count` that there are.
bool outdated(Duration age, std::size_t count, const Span& span) {
  return age > span.reach || count > span.samples_max ||
         (age > span.window && count > span.count_min);
}

}  // namespace

void RecentAddresses::add(const IpAddress& address) {
  const auto found = places_.find(address);
  if (found != places_.end()) {
    order_.splice(order_.end(), order_, found->second);
    return;
  }
  places_.emplace(address, order_.insert(order_.end(), address));
  if (order_.size() <= entries_max_) return;
  places_.erase(order_.front());
  order_.pop_front();
}

void NetworkShare::add(SteadyTime now, const IpAddress& network, bool bad, const Span& span) {
  if (const auto found = places_.find(network); found != places_.end()) drop(found->second);
  places_.emplace(network, samples_.insert(samples_.end(), {network, bad, now}));
  if (bad) ++bad_;
  trim(now, span);
}

void NetworkShare::trim(SteadyTime now, const Span& span) {
  while (!samples_.empty() && outdated(now - samples_.front().at, samples_.size(), span))
    drop(samples_.begin());
}

void NetworkShare::drop(std::list<Sample>::iterator sample) {
  if (sample->bad) --bad_;
  places_.erase(sample->network);
  samples_.erase(sample);
}

void NetworkShare::clear() {
  *this = NetworkShare();
}

void BusiestClient::add(SteadyTime now, const IpAddress& client, Vantage vantage,
                        const Span& span) {
  samples_.push_back({vantage == Vantage::inside ? std::optional(client) : std::nullopt, now});
  // Who makes most connections makes the next one soon: so it is enough to look at who comes.
  if (vantage == Vantage::inside && ++counts_[client] > connections()) busiest_ = client;
  trim(now, span);
}

void BusiestClient::trim(SteadyTime now, const Span& span) {
  while (!samples_.empty() && outdated(now - samples_.front().at, samples_.size(), span)) {
    if (const auto& inside = samples_.front().inside) {
      const auto count = counts_.find(*inside);
      CHECK(count != counts_.end());
      if (--count->second == 0) counts_.erase(count);
    }
    samples_.pop_front();
  }
}

void BusiestClient::clear() {
  *this = BusiestClient();
}

std::uint64_t BusiestClient::connections() const {
  const auto count = counts_.find(busiest_);
  return count == counts_.end() ? 0 : count->second;
}

}  // namespace postern::policy
