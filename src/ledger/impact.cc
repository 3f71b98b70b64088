#include "ledger/impact.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <utility>

#include "base/text.h"

namespace postern::ledger {
namespace {

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

/// A reason may be what anybody can bring about who wants it.
enum class Strength : std::uint8_t { hint, proof };

void add_reason(RefusedClient& client, Strength strength, std::string words) {
  client.wanted_because.push_back(std::move(words));
  client.to_exempt |= strength == Strength::proof;
}

/// What became of one client's refused mail.
struct Persistence {
  std::uint64_t recovered = 0;  ///< accepted later from its own network
  std::uint32_t attempts_most = 0;
  std::string upstream;  ///< who it seems to be, when it tried often enough to tell
  /// All these attempts came from its network: who only uses the name of a pool in EHLO would share
  /// in what others have tried.
  Strength strength = Strength::hint;

  void add_reasons(RefusedClient& client) const {
    if (recovered > 0)
      add_reason(client, Strength::proof,
                 plural(recovered, "refused mail came again and was accepted",
                        "refused mails came again and were accepted"));
    if (!upstream.empty())
      add_reason(client, strength,
                 fmt::format("keeps mail and tries again, up to {} times, as {} does",
                             attempts_most, upstream));
  }
};

using PersistenceByClient = std::unordered_map<IpAddress, Persistence>;

bool one_network(const IpAddress& a, const IpAddress& b) {
  return network_base(a) == network_base(b);
}

PersistenceByClient persistence_of(const std::vector<Deferral>& deferrals, WallTime until,
                                   const upstream::Profiles& profiles, Impact& impact) {
  constexpr std::uint32_t attempts_that_tell = 3;
  PersistenceByClient found;
  for (const Deferral& deferral : deferrals) {
    const Assessment assessment = assess(deferral, until, profiles);
    ++impact.outcomes.at(static_cast<std::size_t>(assessment.outcome));
    for (const IpAddress& address : deferral.addresses) {
      Persistence& of = found[address];
      // From elsewhere it may be the sender's true server, which sent another message.
      if (deferral.accepted && one_network(deferral.accepted_from, address)) ++of.recovered;
      if (deferral.attempts_count <= of.attempts_most) continue;
      of.attempts_most = deferral.attempts_count;
      if (deferral.attempts_count < attempts_that_tell) continue;
      of.upstream = assessment.upstream.profile->product;
      of.strength = std::ranges::all_of(
                        deferral.addresses,
                        [&address](const IpAddress& other) { return one_network(address, other); })
                        ? Strength::proof
                        : Strength::hint;
    }
  }
  return found;
}

void add_reasons(const PersistenceByClient& persistence, RefusedClient& client) {
  const auto known = persistence.find(client.address);
  if (known != persistence.end()) known->second.add_reasons(client);
}

void add_reason(const KnownDomains& domains, RefusedClient& client) {
  if (const KnownDomains::Server* server = domains.server_for(client.address))
    add_reason(client, Strength::hint,
               fmt::format("mail comes from {} too, a confirmed name in its sender's domain {}",
                           server->name, server->domain));
}

void count(Impact& impact, const Finding& finding, std::uint64_t messages) {
  const auto add = [messages](Impact::Sum& sum) {
    ++sum.clients;
    sum.messages += messages;
  };
  add(impact.by_state[finding.state]);
  if (finding.refused) add(impact.refused);
}

/// In how many hands the mail of each state is, and that of all who are refused.
void count_addresses(Impact& impact, const DistinctAddresses& senders,
                     const DistinctAddresses& recipients,
                     const std::function<const Finding*(const IpAddress&)>& finding_of) {
  const std::string all = "refused";
  const DistinctAddresses::GroupOf state = [&](const IpAddress& client) {
    const Finding* finding = finding_of(client);
    return finding == nullptr ? nullptr : &finding->state;
  };
  const DistinctAddresses::GroupOf refused = [&](const IpAddress& client) {
    const Finding* finding = finding_of(client);
    return finding != nullptr && finding->refused ? &all : nullptr;
  };
  for (const auto& [name, count] : senders.count_by(state)) impact.by_state[name].senders = count;
  for (const auto& [name, count] : recipients.count_by(state))
    impact.by_state[name].recipients = count;
  impact.refused.senders = senders.count_by(refused)[all];
  impact.refused.recipients = recipients.count_by(refused)[all];
}

void sort_clients(Impact& impact) {
  std::ranges::sort(impact.clients, [](const RefusedClient& a, const RefusedClient& b) {
    if (a.to_exempt != b.to_exempt) return a.to_exempt;
    if (a.wanted_because.empty() != b.wanted_because.empty()) return b.wanted_because.empty();
    if (a.messages != b.messages) return a.messages > b.messages;
    if (a.wanted_because.size() != b.wanted_because.size())
      return a.wanted_because.size() > b.wanted_because.size();
    if (a.seen.refused_unknown_ip != b.seen.refused_unknown_ip)
      return a.seen.refused_unknown_ip > b.seen.refused_unknown_ip;
    return a.address < b.address;
  });
}

const Finding* found_in(const std::unordered_map<IpAddress, Finding>& findings,
                        const IpAddress& client) {
  const auto found = findings.find(client);
  return found == findings.end() ? nullptr : &found->second;
}

/// The servers of that log that speak for the domains of those who would be refused.
KnownDomains domains_of(const LogCensus& census,
                        const std::unordered_map<IpAddress, Finding>& findings) {
  KnownDomains domains;
  for (const auto& [address, seen] : census.clients())
    if (const Finding* finding = found_in(findings, address); finding && finding->refused)
      domains.ask_about(address, seen);
  for (const auto& [address, seen] : census.clients())
    if (!seen.name.empty() && seen.accepted > 0) domains.add(to_lower(seen.name));
  return domains;
}

}  // namespace

Impact make_impact(const LogCensus& census, const std::unordered_map<IpAddress, Finding>& findings,
                   const upstream::Profiles& profiles) {
  Impact impact;
  const auto persistence =
      persistence_of(census.refused().deferrals(), census.counts().last, profiles, impact);
  const KnownDomains domains = domains_of(census, findings);
  for (const auto& [address, seen] : census.clients()) {
    const Finding* finding = found_in(findings, address);
    if (finding == nullptr) {
      ++impact.not_looked_up;
      continue;
    }
    count(impact, *finding, seen.accepted);
    if (!finding->refused) continue;
    RefusedClient client{.address = address,
                         .finding = *finding,
                         .seen = seen,
                         .messages = seen.accepted,
                         .wanted_because = {}};
    if (seen.authenticated) add_reason(client, Strength::proof, "a user logged in from there");
    add_reasons(persistence, client);
    if (!seen.name.empty())
      add_reason(client, Strength::proof, fmt::format("was called {} then", seen.name));
    add_reason(domains, client);
    impact.clients.push_back(std::move(client));
  }
  count_addresses(impact, census.senders(), census.recipients(),
                  [&findings](const IpAddress& client) { return found_in(findings, client); });
  sort_clients(impact);
  return impact;
}

Impact make_impact(const RecordedMail& mail, const upstream::Profiles& profiles) {
  Impact impact;
  const auto persistence = persistence_of(mail.deferrals(), mail.counts().now, profiles, impact);
  for (const auto& [address, recorded] : mail.clients()) {
    count(impact, recorded.finding, recorded.messages);
    RefusedClient client{.address = address,
                         .finding = recorded.finding,
                         .seen = recorded.seen,
                         .messages = recorded.messages,
                         .wanted_because = {}};
    if (recorded.confirmed)
      add_reason(client, Strength::proof,
                 fmt::format("its name {} was confirmed on {}", recorded.seen.name,
                             format_iso8601(*recorded.confirmed).substr(0, 10)));
    add_reason(mail.domains(), client);
    add_reasons(persistence, client);
    impact.clients.push_back(std::move(client));
  }
  count_addresses(impact, mail.senders(), mail.recipients(), [&mail](const IpAddress& client) {
    const auto found = mail.clients().find(client);
    return found == mail.clients().end() ? nullptr : &found->second.finding;
  });
  sort_clients(impact);
  return impact;
}

}  // namespace postern::ledger
