#include "ledger/deferral.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

/// Attempts this near to each other are one: a server asks all hosts of a domain in turn, from its
/// IPv6 and its IPv4 address. Nobody's first wait is as short.
constexpr Duration round_time = 30s;
/// A server that keeps mail tries a second time long before this is over.
constexpr Duration second_attempt_wait_max = 4h;
/// How much later than it should a server may be: it was restarted, or its queue is long.
constexpr Duration lateness = 1h;
/// A server that was silent for longer than its waits may have been away itself for so long.
constexpr Duration absence_max = 24h;
/// Who is less probable than this is not reckoned with.
constexpr double probability_min = 0.02;

/// The longest wait between its attempts that was seen, of those whose times are not kept the
/// average.
Duration longest_wait_seen(const Deferral& deferral) {
  Duration longest{};
  for (std::size_t i = 1; i < deferral.attempts.size(); ++i)
    longest = std::max(longest, deferral.attempts[i] - deferral.attempts[i - 1]);
  const auto more = static_cast<std::int64_t>(deferral.attempts_count) -
                    static_cast<std::int64_t>(deferral.attempts.size());
  if (more > 0)
    longest = std::max(longest, (deferral.last_attempt - deferral.attempts.back()) / more);
  return longest;
}

/// How long it may be silent now without having given up, whichever of the probable profiles it is
/// of, and also when its waits are nobody's: waits grow twofold at the most.
Duration silence_allowed(const Deferral& deferral,
                         const std::vector<upstream::Candidate>& candidates) {
  Duration wait = longest_wait_seen(deferral);
  for (const upstream::Candidate& candidate : candidates)
    if (candidate.probability >= probability_min)
      wait = std::max(wait, candidate.profile->wait_after(deferral.attempts_count));
  return wait * 2 + lateness;
}

Duration second_attempt_allowed(const upstream::Profiles& profiles) {
  Duration wait = second_attempt_wait_max;
  for (const upstream::Profile& profile : profiles.all)
    wait = std::max(wait, profile.wait_after(1) * 2 + lateness);
  return wait;
}

upstream::Forecast forecast_as(const upstream::Profile& profile, const Deferral& deferral) {
  return upstream::forecast(deferral.attempts.front(), deferral.last_attempt,
                            deferral.attempts_count, profile);
}

// What comes after a delivery has ended is another message's, although it is the same two people's.
bool is_over(const Deferral& deferral, WallTime now, const upstream::Profiles& profiles) {
  const Duration silent = now - deferral.last_attempt;
  if (silent <= lateness) return false;
  const Assessment assessment = assess(deferral, now, profiles);
  if (assessment.outcome == Outcome::retrying) return false;
  const upstream::Forecast forecast = forecast_as(*assessment.upstream.profile, deferral);
  return silent > absence_max || now > forecast.gives_up + forecast.retry_interval + lateness;
}

/// Of what was given up: at the answer that ended it, or when it should have tried again and did
/// not, whatever its profile says. Nobody hears of it later than that.
void end_forecast(const Deferral& deferral, WallTime now, upstream::Forecast& forecast) {
  const WallTime silent_from = deferral.last_attempt + forecast.retry_interval;
  forecast.end_by(deferral.refused_for_good.value_or(std::min(silent_from, now)));
}

}  // namespace

upstream::Habits habits_of(const Deferral& deferral) {
  return {.attempts = deferral.attempts,
          .helo = deferral.helo,
          .greeting = deferral.greeting,
          .last = deferral.last_attempt};
}

bool belongs_to(const Deferral& deferral, const Attempt& attempt,
                const upstream::Profiles& profiles) {
  if (!equal_ignoring_case(deferral.recipient, attempt.recipient) ||
      !equal_ignoring_case(deferral.sender, attempt.sender))
    return false;
  // What was taken before the first refusal is told late, and was another message.
  if (attempt.accepted && attempt.time < deferral.attempts.front()) return false;
  const IpAddress network = network_base(attempt.client);
  // Large senders try again from elsewhere. The same people's mail that comes from elsewhere and is
  // taken is most likely the same mail; reports, which all have the null reverse path, are not.
  const bool same_server = (attempt.accepted && !attempt.sender.empty()) ||
                           (!attempt.helo.empty() &&
                            equal_ignoring_case(pool_of(deferral.helo), pool_of(attempt.helo))) ||
                           std::ranges::any_of(deferral.addresses, [&](const IpAddress& known) {
                             return network_base(known) == network;
                           });
  return same_server && !is_over(deferral, attempt.time, profiles);
}

bool note(Deferral& deferral, const Attempt& attempt) {
  if (attempt.accepted) {
    deferral.accepted = attempt.time;
    deferral.accepted_from = attempt.client;
    return true;
  }
  if (attempt.refused_for_good) {
    deferral.refused_for_good = attempt.time;
    return true;
  }
  const bool new_greeting = attempt.greeting > deferral.greeting;
  if (new_greeting) deferral.greeting = attempt.greeting;
  const bool new_address =
      deferral.addresses.size() < Deferral::addresses_kept &&
      std::ranges::find(deferral.addresses, attempt.client) == deferral.addresses.end();
  if (new_address) deferral.addresses.push_back(attempt.client);
  const bool first = deferral.attempts_count == 0;
  if (!first && std::chrono::abs(attempt.time - deferral.last_attempt) <= round_time)
    return new_address || new_greeting;
  ++deferral.attempts_count;
  deferral.last_attempt = first ? attempt.time : std::max(deferral.last_attempt, attempt.time);
  if (deferral.attempts.size() < Deferral::attempts_kept)
    deferral.attempts.insert(std::ranges::upper_bound(deferral.attempts, attempt.time),
                             attempt.time);
  return true;
}

Deferral deferral_of(const Attempt& first) {
  CHECK(!first.accepted && !first.refused_for_good);
  Deferral deferral;
  deferral.sender = first.sender;
  deferral.recipient = first.recipient;
  deferral.helo = first.helo;
  note(deferral, first);
  return deferral;
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::retrying:
      return "retrying";
    case Outcome::recovered:
      return "recovered";
    case Outcome::given_up:
      return "given_up";
    case Outcome::never_retried:
      return "never_retried";
  }
  CHECK(false);
}

Assessment assess(const Deferral& deferral, WallTime now, const upstream::Profiles& profiles) {
  CHECK(!deferral.attempts.empty() && !profiles.all.empty());
  const auto candidates = upstream::recognize(habits_of(deferral), profiles);
  Assessment assessment;
  assessment.upstream = candidates.front();
  assessment.forecast = forecast_as(*assessment.upstream.profile, deferral);
  const Duration silent = now - deferral.last_attempt;
  if (deferral.accepted)
    assessment.outcome = Outcome::recovered;
  else if (deferral.refused_for_good)
    assessment.outcome = Outcome::given_up;
  else if (deferral.attempts_count == 1)
    assessment.outcome =
        silent > second_attempt_allowed(profiles) ? Outcome::never_retried : Outcome::retrying;
  else if (silent > silence_allowed(deferral, candidates))
    assessment.outcome = Outcome::given_up;
  if (assessment.outcome == Outcome::given_up) end_forecast(deferral, now, assessment.forecast);
  return assessment;
}

std::string_view pool_of(std::string_view helo) {
  const bool literal =
      helo.starts_with('[') || (!helo.empty() && helo.back() >= '0' && helo.back() <= '9');
  const auto dot = helo.find('.');
  if (literal || dot == std::string_view::npos) return helo;
  const std::string_view domain = helo.substr(dot + 1);
  return domain.contains('.') ? domain : helo;
}

IpAddress network_base(const IpAddress& address) {
  auto bytes = address.bytes();
  std::fill(bytes.begin() + (address.is_v4() ? 15 : 8), bytes.end(), 0);
  return IpAddress::from_v6(bytes);
}

IpNetwork network_of(const IpAddress& address) {
  const auto network = IpNetwork::parse(
      fmt::format("{}/{}", network_base(address).text(), address.is_v4() ? 24 : 64));
  CHECK(network.has_value());
  return *network;
}

}  // namespace postern::ledger
