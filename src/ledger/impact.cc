#include "ledger/impact.h"

#include <algorithm>
#include <fmt/format.h>

namespace postern::ledger {
namespace {

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

/// What became of one client's refused mail.
struct Persistence {
  std::uint64_t recovered = 0;
  std::uint32_t attempts_most = 0;
  std::string upstream;  ///< who it seems to be, when it tried often enough to tell

  void add_reasons(std::vector<std::string>& reasons) const {
    if (recovered > 0)
      reasons.push_back(plural(recovered, "refused mail came again and was accepted",
                               "refused mails came again and were accepted"));
    if (!upstream.empty())
      reasons.push_back(fmt::format("keeps mail and tries again, up to {} times, as {} does",
                                    attempts_most, upstream));
  }
};

using PersistenceByClient = std::unordered_map<IpAddress, Persistence>;

PersistenceByClient persistence_of(const std::vector<Deferral>& deferrals, WallTime until,
                                   const upstream::Profiles& profiles, Impact& impact) {
  constexpr std::uint32_t attempts_that_tell = 3;
  PersistenceByClient found;
  for (const Deferral& deferral : deferrals) {
    const Assessment assessment = assess(deferral, until, profiles);
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

void add_reasons(const PersistenceByClient& persistence, const IpAddress& client,
                 std::vector<std::string>& reasons) {
  const auto known = persistence.find(client);
  if (known != persistence.end()) known->second.add_reasons(reasons);
}

void count(Impact& impact, const Finding& finding, std::uint64_t messages) {
  const auto add = [messages](Impact::Sum& sum) {
    ++sum.clients;
    sum.messages += messages;
  };
  add(impact.by_state[finding.state]);
  if (finding.refused) add(impact.refused);
}

void sort_clients(Impact& impact) {
  std::ranges::sort(impact.clients, [](const RefusedClient& a, const RefusedClient& b) {
    if (a.wanted_because.empty() != b.wanted_because.empty()) return b.wanted_because.empty();
    if (a.messages != b.messages) return a.messages > b.messages;
    if (a.wanted_because.size() != b.wanted_because.size())
      return a.wanted_because.size() > b.wanted_because.size();
    if (a.seen.refused_unknown_ip != b.seen.refused_unknown_ip)
      return a.seen.refused_unknown_ip > b.seen.refused_unknown_ip;
    return a.address < b.address;
  });
}

std::vector<std::string> reasons_of(const RecordedClient& client) {
  std::vector<std::string> reasons;
  if (client.confirmed)
    reasons.push_back(fmt::format("its name {} was confirmed on {}", client.seen.name,
                                  format_iso8601(*client.confirmed).substr(0, 10)));
  if (client.accepted_otherwise > 0)
    reasons.push_back(plural(client.accepted_otherwise, "recipient got mail from it",
                             "recipients got mail from it") +
                      " when nothing was wrong with it");
  if (!client.known_domain.empty())
    reasons.push_back(
        fmt::format("mail comes from {} too, a confirmed name in its sender's domain "
                    "{}",
                    client.known_server, client.known_domain));
  return reasons;
}

}  // namespace

Impact make_impact(const LogCensus& census, const std::unordered_map<IpAddress, Finding>& findings,
                   const upstream::Profiles& profiles) {
  Impact impact;
  const auto persistence =
      persistence_of(census.refused().deferrals(), census.counts().last, profiles, impact);
  for (const auto& [address, seen] : census.clients()) {
    const auto found = findings.find(address);
    if (found == findings.end()) {
      ++impact.not_looked_up;
      continue;
    }
    count(impact, found->second, seen.accepted);
    if (!found->second.refused) continue;
    std::vector<std::string> reasons;
    if (seen.authenticated) reasons.emplace_back("a user logged in from there");
    if (seen.accepted > 0)
      reasons.push_back(plural(seen.accepted, "message was accepted", "messages were accepted"));
    add_reasons(persistence, address, reasons);
    if (!seen.name.empty()) reasons.push_back(fmt::format("was called {} then", seen.name));
    impact.clients.push_back({.address = address,
                              .finding = found->second,
                              .seen = seen,
                              .messages = seen.accepted,
                              .wanted_because = std::move(reasons)});
  }
  sort_clients(impact);
  return impact;
}

Impact make_impact(const RecordedMail& mail, const upstream::Profiles& profiles) {
  Impact impact;
  const auto persistence = persistence_of(mail.deferrals(), mail.counts().now, profiles, impact);
  for (const auto& [address, client] : mail.clients()) {
    count(impact, client.finding, client.messages);
    std::vector<std::string> reasons = reasons_of(client);
    add_reasons(persistence, address, reasons);
    impact.clients.push_back({.address = address,
                              .finding = client.finding,
                              .seen = client.seen,
                              .messages = client.messages,
                              .wanted_because = std::move(reasons)});
  }
  sort_clients(impact);
  return impact;
}

}  // namespace postern::ledger
