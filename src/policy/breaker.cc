#include "policy/breaker.h"

#include <algorithm>
#include <utility>

namespace postern::policy {
namespace {

/// Transactions that show that the clients are no longer hidden.
constexpr std::uint64_t recovery_connections_min = 10;
/// Of that many samples the long-term average is made, roughly.
constexpr double average_samples = 512;
constexpr std::uint64_t hundred = 100;
/// So many times more networks without a confirmed name are needed when nobody ever had one: on a
/// small server the first clients after a start may well be a botnet's.
constexpr std::uint64_t unproven_factor = 5;

/// RFC 4291 section 2.5.5.2: IPv4 is held as ::ffff:a.b.c.d.
constexpr int v4_offset = 96;
/// Reverse zones are delegated by these: what is known of one address holds for its neighbours.
constexpr int v4_zone_bits = 24;
constexpr int v6_zone_bits = 48;
/// One voice for each: about what one owner of addresses gets.
constexpr int v4_owner_bits = 16;
constexpr int v6_owner_bits = 32;
/// One host.
constexpr int v6_host_bits = 64;

IpAddress masked(const IpAddress& address, int bits) {
  auto bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int kept = std::clamp(bits - static_cast<int>(8 * i), 0, 8);
    bytes[i] &= static_cast<std::uint8_t>(0xff << (8 - kept));
  }
  return IpAddress::from_v6(bytes);
}

IpAddress zone_of(const IpAddress& client) {
  return masked(client, client.is_v4() ? v4_offset + v4_zone_bits : v6_zone_bits);
}
IpAddress owner_of(const IpAddress& client) {
  return masked(client, client.is_v4() ? v4_offset + v4_owner_bits : v6_owner_bits);
}
IpAddress host_of(const IpAddress& client) {
  return client.is_v4() ? client : masked(client, v6_host_bits);
}

}  // namespace

std::string_view breaker_state_name(BreakerState state) {
  static constexpr std::array<std::string_view, 3> names{"closed", "open", "half_open"};
  return names.at(static_cast<std::size_t>(state));
}

std::string_view breaker_signal_name(BreakerSignal signal) {
  static constexpr std::array<std::string_view, 3> names{"temperror", "one_client", "refused"};
  return names.at(static_cast<std::size_t>(signal));
}

std::uint64_t BreakerReading::percent() const {
  return total == 0 ? 0 : bad * 100 / total;
}

bool BreakerReading::opens() const {
  return opens_at > 0 && bad >= bad_min && percent() >= opens_at;
}

bool BreakerReading::healed() const {
  return opens_at == 0 || (total >= total_min && percent() <= closes_at);
}

// --- facts

Breaker::Change Breaker::transaction(SteadyTime now, const IpAddress& client, Vantage vantage) {
  if (!options_.enabled) return std::nullopt;
  clients_.add(now, client, vantage, span_of(BreakerSignal::one_client));
  return tick(now);
}

Breaker::Change Breaker::lookup(SteadyTime now, const IpAddress& client, LookupFound found) {
  if (!options_.enabled) return std::nullopt;
  count_answer(now, client, found);
  count_confirmation(now, client, found);
  return tick(now);
}

/// A failure counts where an answer was to be expected: the zone has answered before, or the client
/// had a confirmed name. So zones that are broken for their own reasons, a spammer's among them,
/// have no voice. Before the first answer ever anybody's failure counts.
void Breaker::count_answer(SteadyTime now, const IpAddress& client, LookupFound found) {
  const bool first = answered_.empty();
  const IpAddress zone = zone_of(client);
  const bool known = answered_.contains(zone);
  bool counts = known;
  const bool bad =
      found == LookupFound::no_reverse_answer || found == LookupFound::no_forward_answer;
  if (bad) {
    if (found == LookupFound::no_forward_answer) counts = confirmed_.contains(host_of(client));
    counts = counts || first;
  } else {
    if (first) temperror_.clear();
    // To recover, anybody's answer will do.
    counts = counts || state_ != BreakerState::closed;
    answered_.add(zone);
  }
  if (counts) temperror_.add(now, owner_of(client), bad, span_of(BreakerSignal::temperror));
}

/// The same of confirmed names: a wave of clients that never had one is not our fault.
void Breaker::count_confirmation(SteadyTime now, const IpAddress& client, LookupFound found) {
  const bool bad = found == LookupFound::unconfirmed;
  if (!bad && found != LookupFound::confirmed) return;
  const bool first = confirmed_.empty();
  bool counts = confirmed_.contains(host_of(client));
  if (bad) {
    counts = counts || first;
  } else {
    if (first) refused_.clear();
    counts = counts || state_ != BreakerState::closed;
    confirmed_.add(host_of(client));
  }
  if (!counts) return;
  refused_.add(now, owner_of(client), bad, span_of(BreakerSignal::refused));
  if (!first && state_ == BreakerState::closed)
    refused_average_ += ((bad ? 100.0 : 0.0) - refused_average_) / average_samples;
}

// --- what they come to

/// Old samples stay while there are no more than those of which bad_min are the percentage that
/// opens: with fewer it could never open where samples are slow to come.
Span Breaker::span_of(BreakerSignal signal) const {
  const BreakerReading now = reading(signal);
  const std::uint64_t percent = std::max<std::uint64_t>(now.opens_at, 1);
  return {.window = options_.window, .reach = reach, .count_min = now.bad_min * hundred / percent};
}

BreakerReading Breaker::reading(BreakerSignal signal) const {
  BreakerReading reading;
  reading.signal = signal;
  const auto by_networks = [&](const NetworkShare& share, std::uint64_t bad_min) {
    reading.bad = share.bad();
    reading.total = share.total();
    reading.bad_min = bad_min;
    reading.total_min = options_.recovery_networks_min;
  };
  switch (signal) {
    case BreakerSignal::temperror:
      by_networks(temperror_, options_.temperror_networks_min);
      reading.opens_at = options_.temperror_percent;
      reading.closes_at = options_.temperror_percent / 2;
      break;
    case BreakerSignal::one_client:
      reading.client = clients_.client();
      reading.bad = clients_.connections();
      reading.total = clients_.total();
      reading.bad_min = options_.one_client_connections_min;
      reading.total_min = recovery_connections_min;
      reading.opens_at = options_.one_client_percent;
      reading.closes_at = options_.one_client_percent / 2;
      break;
    case BreakerSignal::refused:
      by_networks(refused_, options_.refused_networks_min);
      if (confirmed_.empty()) reading.bad_min *= unproven_factor;
      reading.average = static_cast<std::uint64_t>(refused_average_);
      if (options_.refused_jump_percent == 0) break;
      reading.opens_at = std::min(reading.average + options_.refused_jump_percent, hundred);
      reading.closes_at =
          std::min(reading.average + options_.refused_jump_percent / 2, hundred - 1);
      break;
  }
  return reading;
}

void Breaker::trim(SteadyTime now) {
  temperror_.trim(now, span_of(BreakerSignal::temperror));
  refused_.trim(now, span_of(BreakerSignal::refused));
  clients_.trim(now, span_of(BreakerSignal::one_client));
}

void Breaker::forget_samples() {
  temperror_.clear();
  refused_.clear();
  clients_.clear();
}

// --- states

Breaker::Change Breaker::tick(SteadyTime now) {
  if (!options_.enabled) return std::nullopt;
  trim(now);
  if (state_ == BreakerState::closed) return watch(now);
  if (state_ == BreakerState::half_open) return probe(now);
  if (now < until_) return std::nullopt;
  forget_samples();
  until_ = now + options_.recovery_time;
  return change_to(now, BreakerState::half_open);
}

Breaker::Change Breaker::watch(SteadyTime now) {
  for (const BreakerSignal signal : breaker_signals)
    if (reading(signal).opens()) return open(now, signal);
  return std::nullopt;
}

/// Nobody is refused meanwhile, so there is no hurry either way.
Breaker::Change Breaker::probe(SteadyTime now) {
  for (const BreakerSignal signal : breaker_signals) {
    if (!reading(signal).opens()) continue;
    signal_ = signal;
    hold_ = std::min(2 * hold_, options_.open_time_max);
    until_ = now + hold_;
    return change_to(now, BreakerState::open);
  }
  if (now >= until_ && reading(signal_).healed()) return close(now);
  return std::nullopt;
}

Breaker::Change Breaker::open(SteadyTime now, BreakerSignal signal) {
  const bool again = closed_at_ && now - *closed_at_ < options_.open_time_max;
  hold_ = again ? std::min(2 * hold_, options_.open_time_max) : options_.open_time;
  signal_ = signal;
  opened_at_ = now;
  until_ = now + hold_;
  ++opened_;
  return change_to(now, BreakerState::open);
}

Breaker::Change Breaker::close(SteadyTime now) {
  closed_at_ = now;
  return change_to(now, BreakerState::closed);
}

Breaker::Change Breaker::change_to(SteadyTime now, BreakerState to) {
  return BreakerChange{.from = std::exchange(state_, to),
                       .to = to,
                       .signal = signal_,
                       .reading = reading(signal_),
                       .open_for = now - opened_at_};
}

Breaker::Change Breaker::set_options(SteadyTime now, const BreakerOptions& options) {
  options_ = options;
  if (options.enabled) return tick(now);
  forget_samples();
  return state_ == BreakerState::closed ? std::nullopt : close(now);
}

std::optional<SteadyTime> Breaker::next_tick() const {
  // In half_open it closes at the first fact after that time: samples do not come by themselves.
  if (state_ == BreakerState::closed) return std::nullopt;
  return until_;
}

BreakerStatus Breaker::status(SteadyTime now) const {
  BreakerStatus status;
  status.enabled = options_.enabled;
  status.state = state_;
  status.signal = signal_;
  if (state_ != BreakerState::closed)
    status.since = now - opened_at_;
  else if (closed_at_)
    status.since = now - *closed_at_;
  if (state_ != BreakerState::closed) status.next = std::max(until_ - now, Duration::zero());
  for (std::size_t i = 0; i < breaker_signals.size(); ++i)
    status.readings.at(i) = reading(breaker_signals.at(i));
  status.opened = opened_;
  status.learning = options_.enabled && confirmed_.empty();
  return status;
}

}  // namespace postern::policy
