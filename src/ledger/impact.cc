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

void add_reasons(const PersistenceByClient& persistence, RefusedClient& client) {
  const ClientPersistence* known = persistence.find(client.address);
  if (known == nullptr) return;
  if (known->recovered > 0)
    add_reason(client, Strength::proof,
               plural(known->recovered, "refused mail came again and was accepted",
                      "refused mails came again and were accepted"));
  if (known->upstream != nullptr)
    add_reason(client, known->alone ? Strength::proof : Strength::hint,
               fmt::format("keeps mail and tries again, up to {} times, as {} does",
                           known->attempts_most, known->upstream->product));
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
  PersistenceByClient persistence;
  for (const Deferral& deferral : census.refused().deferrals())
    persistence.add(deferral, assess(deferral, census.counts().last, profiles));
  impact.outcomes = persistence.outcomes();
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

Impact make_impact(const RecordedMail& mail) {
  Impact impact;
  impact.outcomes = mail.persistence().outcomes();
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
    add_reasons(mail.persistence(), client);
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
