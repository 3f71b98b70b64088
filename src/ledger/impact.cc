#include "ledger/impact.h"

#include <algorithm>
#include <fmt/format.h>

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

/// What became of one client's refused mail.
struct Persistence {
  std::uint64_t recovered = 0;
  std::uint32_t attempts_most = 0;
  std::string upstream;  ///< who it seems to be, when it tried often enough to tell
};

std::unordered_map<IpAddress, Persistence> persistence_of(const LogCensus& census,
                                                          const upstream::Profiles& profiles,
                                                          Impact& impact) {
  constexpr std::uint32_t attempts_that_tell = 3;
  std::unordered_map<IpAddress, Persistence> found;
  for (const Deferral& deferral : census.refused().deferrals()) {
    const Assessment assessment = assess(deferral, census.counts().last, profiles);
    ++impact.outcomes.at(static_cast<std::size_t>(assessment.outcome));
    for (const IpAddress& address : deferral.addresses) {
      Persistence& of = found[address];
      if (deferral.accepted) ++of.recovered;
      if (deferral.attempts_count <= of.attempts_most) continue;
      of.attempts_most = deferral.attempts_count;
      if (deferral.attempts_count >= attempts_that_tell)
        of.upstream = assessment.upstream.profile->product;
    }
  }
  return found;
}

std::vector<std::string> wanted_because(const LoggedClient& seen, const Persistence& persistence) {
  std::vector<std::string> reasons;
  if (seen.authenticated) reasons.emplace_back("a user logged in from there");
  if (seen.accepted > 0)
    reasons.push_back(plural(seen.accepted, "message was accepted", "messages were accepted"));
  if (persistence.recovered > 0)
    reasons.push_back(plural(persistence.recovered, "refused mail came again and was accepted",
                             "refused mails came again and were accepted"));
  if (!persistence.upstream.empty())
    reasons.push_back(fmt::format("keeps mail and tries again, up to {} times, as {} does",
                                  persistence.attempts_most, persistence.upstream));
  if (!seen.name.empty()) reasons.push_back(fmt::format("was called {} then", seen.name));
  return reasons;
}

}  // namespace

Impact make_impact(const LogCensus& census, const std::unordered_map<IpAddress, Finding>& findings,
                   const upstream::Profiles& profiles) {
  Impact impact;
  const auto persistence = persistence_of(census, profiles, impact);
  for (const auto& [address, seen] : census.clients()) {
    const auto found = findings.find(address);
    if (found == findings.end()) {
      ++impact.not_looked_up;
      continue;
    }
    const Finding& finding = found->second;
    Impact::Sum& sum = impact.by_state[finding.state];
    ++sum.clients;
    sum.messages += seen.accepted;
    if (!finding.refused) continue;
    ++impact.refused.clients;
    impact.refused.messages += seen.accepted;
    const auto known = persistence.find(address);
    impact.clients.push_back(
        {.address = address,
         .finding = finding,
         .seen = seen,
         .wanted_because =
             wanted_because(seen, known == persistence.end() ? Persistence{} : known->second)});
  }
  std::ranges::sort(impact.clients, [](const RefusedClient& a, const RefusedClient& b) {
    if (a.wanted_because.empty() != b.wanted_because.empty()) return b.wanted_because.empty();
    if (a.seen.accepted != b.seen.accepted) return a.seen.accepted > b.seen.accepted;
    if (a.wanted_because.size() != b.wanted_because.size())
      return a.wanted_because.size() > b.wanted_because.size();
    if (a.seen.refused_unknown_ip != b.seen.refused_unknown_ip)
      return a.seen.refused_unknown_ip > b.seen.refused_unknown_ip;
    return a.address < b.address;
  });
  return impact;
}

}  // namespace postern::ledger
