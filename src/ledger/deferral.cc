#include "ledger/deferral.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

/// A server that keeps mail tries a second time long before this is over.
constexpr Duration second_attempt_wait_max = 4h;

/// How long a server of this profile may be silent now, generously: it may have been restarted, or
/// one attempt may have gone to another of our hosts.
Duration silence_allowed(const Deferral& deferral, const upstream::Profile& profile) {
  return profile.wait_after(deferral.attempts_count) * 2 + 1h;
}

Outcome outcome_of(const Deferral& deferral, WallTime now, const upstream::Profile& profile) {
  if (deferral.accepted) return Outcome::recovered;
  const Duration silent = now - deferral.last_attempt;
  if (deferral.attempts_count == 1)
    return silent > second_attempt_wait_max ? Outcome::never_retried : Outcome::retrying;
  return silent > silence_allowed(deferral, profile) ? Outcome::given_up : Outcome::retrying;
}

}  // namespace

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
  Assessment assessment;
  assessment.upstream = upstream::recognize({deferral.attempts, deferral.helo}, profiles).front();
  const upstream::Profile& profile = *assessment.upstream.profile;
  assessment.outcome = outcome_of(deferral, now, profile);
  assessment.forecast = upstream::forecast(deferral.attempts.front(), deferral.last_attempt,
                                           deferral.attempts_count, profile);
  return assessment;
}

IpNetwork network_of(const IpAddress& address) {
  const bool v4 = address.is_v4();
  auto bytes = address.bytes();
  std::fill(bytes.begin() + (v4 ? 15 : 8), bytes.end(), 0);
  const IpAddress base =
      v4 ? IpAddress::from_v4({bytes[12], bytes[13], bytes[14], 0}) : IpAddress::from_v6(bytes);
  const auto network = IpNetwork::parse(fmt::format("{}/{}", base.text(), v4 ? 24 : 64));
  CHECK(network.has_value());
  return *network;
}

}  // namespace postern::ledger
