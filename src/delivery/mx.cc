#include "delivery/mx.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "mail/address.h"

namespace postern::delivery {
namespace {

Targets failed(Persistence persistence, std::string status, const std::string& words) {
  return {{}, outcome_of_lookup(persistence, std::move(status), words)};
}

}  // namespace

io::Task<Targets> MxLookup::find(std::string destination) {
  const std::vector<NextHop> hops = next_hops_of(destination);
  if (!hops.empty()) co_return co_await of_next_hops(hops);
  // Queued before there was a route for the domain.
  if (const Route* route = options_.routes.find(destination)) {
    const std::vector<NextHop> routed = route->next_hops;
    co_return co_await of_next_hops(routed);
  }
  if (const auto literal = mail::parse_address_literal(destination))
    co_return Targets{{{smtp::ClientProtocol::smtp, literal->text(), {*literal, options_.port}}},
                      {}};
  co_return co_await of_domain(destination);
}

io::Task<Targets> MxLookup::of_next_hops(const std::vector<NextHop>& hops) {
  Targets result;
  for (const NextHop& hop : hops) {
    Addresses addresses;
    if (const auto literal = IpAddress::parse(hop.host))
      addresses.found.push_back(*literal);
    else
      addresses = co_await addresses_of(hop.host);
    for (const IpAddress& address : addresses.found)
      if (result.targets.size() < targets_max)
        result.targets.push_back({hop.protocol, hop.host, {address, hop.port}});
  }
  // The operator named the host, so that the operator can mend it: never permanent.
  if (result.targets.empty())
    co_return failed(Persistence::temporary, "4.4.3",
                     fmt::format("the route's next hop {} has no address: correct the route or the "
                                 "DNS",
                                 hops.front().text()));
  co_return result;
}

io::Task<Targets> MxLookup::of_domain(const std::string& domain) {
  Hosts hosts = co_await mail_exchanges(domain);
  if (hosts.failure) co_return Targets{{}, std::move(hosts.failure)};
  Targets result;
  bool undetermined = false;
  for (const std::string& host : hosts.names) {
    const Addresses addresses = co_await addresses_of(host);
    undetermined |= addresses.undetermined;
    for (const IpAddress& address : addresses.found)
      if (result.targets.size() < targets_max)
        result.targets.push_back({smtp::ClientProtocol::smtp, host, {address, options_.port}});
    if (result.targets.size() >= targets_max) break;
  }
  if (!result.targets.empty()) co_return result;
  if (undetermined)
    co_return failed(Persistence::temporary, "4.4.3",
                     fmt::format("DNS lookup for the mail hosts of {} did not complete", domain));
  // RFC 5321 section 5.1: an MX list whose hosts have no address is an error.
  co_return failed(Persistence::permanent, "5.4.4",
                   fmt::format("the mail hosts of {} have no address", domain));
}

io::Task<MxLookup::Hosts> MxLookup::mail_exchanges(const std::string& domain) {
  const auto deadline = clock_.in(options_.lookup_timeout);
  dns::Answer answer = co_await resolver_.lookup(domain, dns::Type::mx, deadline);
  switch (answer.status) {
    case dns::Status::ok:
      co_return usable_exchanges(domain, std::move(answer.mail_exchanges));
    // RFC 5321 section 5.1: a domain without MX is its own mail host (implicit MX).
    case dns::Status::no_data:
      co_return Hosts{{domain}, {}};
    case dns::Status::nx_domain:
      co_return Hosts{{},
                      outcome_of_lookup(Persistence::permanent, "5.1.2",
                                        fmt::format("the domain {} does not exist", domain))};
    // RFC 5321 section 5.1: a temporary error of the lookup must be treated as temporary.
    case dns::Status::serv_fail:
    case dns::Status::bogus:
    case dns::Status::timed_out:
      break;
  }
  co_return Hosts{{},
                  outcome_of_lookup(Persistence::temporary, "4.4.3",
                                    fmt::format("DNS lookup for the mail hosts of {} did not "
                                                "complete ({})",
                                                domain, dns::status_name(answer.status)))};
}

MxLookup::Hosts MxLookup::usable_exchanges(const std::string& domain, std::vector<dns::Mx> list) {
  // RFC 7505 section 3: a lone "." says that the domain takes no mail. RFC 3463: 5.1.10.
  const auto null = [](const dns::Mx& mx) { return mx.exchange.empty(); };
  if (std::ranges::all_of(list, null))
    return {{},
            outcome_of_lookup(Persistence::permanent, "5.1.10",
                              fmt::format("the domain {} accepts no mail (null MX)", domain))};
  // RFC 7505 section 3: beside other records "." is an error and no host.
  std::erase_if(list, null);
  std::ranges::sort(list);
  // RFC 5321 section 5.1: when we are in the list, we and every host not preferred to us are left
  // out, or mail would go in circles.
  const auto own = std::ranges::find_if(
      list, [&](const dns::Mx& mx) { return equal_ignoring_case(mx.exchange, options_.hostname); });
  if (own != list.end()) {
    const std::uint16_t ours = own->preference;
    std::erase_if(list, [&](const dns::Mx& mx) { return mx.preference >= ours; });
    if (list.empty())
      return {
          {},
          outcome_of_lookup(Persistence::permanent, "5.4.6",
                            fmt::format("mail for {} loops back to this host ({}), which has no "
                                        "route for it",
                                        domain, options_.hostname))};
  }
  shuffle_equal(list);
  Hosts hosts;
  for (dns::Mx& mx : list)
    if (hosts.names.size() < hosts_max) hosts.names.push_back(std::move(mx.exchange));
  return hosts;
}

io::Task<MxLookup::Addresses> MxLookup::addresses_of(const std::string& host) {
  Addresses result;
  // IPv4 first: a host whose IPv6 is broken is commoner than one without IPv4.
  for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
    const auto deadline = clock_.in(options_.lookup_timeout);
    const dns::Answer answer = co_await resolver_.lookup(host, type, deadline);
    result.undetermined |= !dns::is_determined(answer.status);
    result.found.insert(result.found.end(), answer.addresses.begin(), answer.addresses.end());
  }
  co_return result;
}

// RFC 5321 section 5.1: hosts of equal preference are tried in random order, to spread the load.
void MxLookup::shuffle_equal(std::vector<dns::Mx>& list) {
  SplitMix64 random(entropy_.next_u64());
  for (auto first = list.begin(); first != list.end();) {
    const auto last = std::find_if(
        first, list.end(), [&](const dns::Mx& mx) { return mx.preference != first->preference; });
    for (auto count = last - first; count > 1; --count)
      std::swap(
          first[count - 1],
          first[static_cast<std::ptrdiff_t>(random.below(static_cast<std::uint64_t>(count)))]);
    first = last;
  }
}

}  // namespace postern::delivery
