#include "auth/iprev.h"

#include <algorithm>
#include <memory>

#include "dns/name.h"
#include "io/notify.h"

namespace postern::auth {
namespace {

/// The forward lookups of one check. Shared with those that outlive it.
struct Race {
  explicit Race(io::Clock& clock) : changed(clock) {}

  Iprev iprev;
  std::size_t waiting = 0;  ///< lookups without an answer yet
  std::size_t awaited = 0;  ///< of them, whose answers are waited for in any case
  bool confirmed = false;
  bool settled = false;  ///< `iprev` was given away: late answers are dropped
  io::Notify changed;
};

dns::Type address_type(const IpAddress& client) {
  return client.is_v4() ? dns::Type::a : dns::Type::aaaa;
}

void take_addresses(IprevName& name, std::vector<IpAddress> addresses, const IpAddress& client) {
  std::ranges::sort(addresses);
  const std::size_t kept = std::min(addresses.size(), iprev_addresses_max);
  name.addresses_left_out = addresses.size() - kept;
  // The addresses themselves, never their text: 192.0.2.1 and ::ffff:192.0.2.1 are one client.
  const auto own = std::ranges::lower_bound(addresses, client);
  const bool is_left_out = own != addresses.end() && *own == client &&
                           own - addresses.begin() >= static_cast<std::ptrdiff_t>(kept);
  if (is_left_out) addresses[kept - 1] = client;
  name.addresses.assign(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(kept));
}

void take_answer(Race& race, std::size_t index, dns::Answer answer) {
  if (race.settled) return;
  IprevName& name = race.iprev.names[index];
  name.status = answer.status;
  take_addresses(name, std::move(answer.addresses), race.iprev.address);
  name.ttl_seconds = answer.ttl_seconds;
  name.secure = answer.secure;
  name.cached = answer.cached;
  if (race.confirmed || !confirms(name, race.iprev.address)) return;
  race.confirmed = true;
  race.iprev.confirmed_name = name.name;
}

/// A forward lookup, and what waits for it.
struct Forward {
  std::size_t index = 0;  ///< of the name
  bool awaited = false;
};

void end_forward(Race& race, const Forward& forward) {
  --race.waiting;
  if (forward.awaited) --race.awaited;
}

io::Task<> look_up_forward(std::shared_ptr<Race> race, dns::Resolver& resolver, Forward forward,
                           io::Deadline deadline) {
  std::string name = race->iprev.names[forward.index].name;
  dns::Answer answer =
      co_await resolver.lookup(std::move(name), address_type(race->iprev.address), deadline);
  take_answer(*race, forward.index, std::move(answer));
  end_forward(*race, forward);
  race->changed.wake_all();
}

void take_names(Iprev& iprev, dns::Answer answer) {
  iprev.ptr_status = answer.status;
  iprev.ptr_ttl_seconds = answer.ttl_seconds;
  iprev.secure = answer.secure;
  iprev.cached = answer.cached;
  iprev.ptr_count = answer.names.size();
  for (std::string& name : answer.names) {
    if (iprev.names.size() == iprev_names_max) break;
    IprevName taken;
    taken.usable = dns::is_host_name(name);
    taken.name = std::move(name);
    iprev.names.push_back(std::move(taken));
  }
}

/// Whether what the result stands on is validated: for a pass the name that confirmed, else all.
bool is_secure(const Iprev& iprev, bool ptr_secure) {
  return ptr_secure && std::ranges::all_of(iprev.names, [&iprev](const IprevName& name) {
           const bool stands_on =
               iprev.confirmed_name.empty() ? name.usable : name.name == iprev.confirmed_name;
           return !stands_on || name.secure;
         });
}

/// The smallest TTL of the answers that say something.
std::uint32_t smallest_ttl(const Iprev& iprev) {
  if (!dns::is_determined(iprev.ptr_status)) return 0;
  std::uint32_t ttl = iprev.ptr_ttl_seconds;
  for (const IprevName& name : iprev.names)
    if (name.usable && dns::is_determined(name.status)) ttl = std::min(ttl, name.ttl_seconds);
  return ttl;
}

/// Whether no other server was asked for what the result stands on.
bool is_cached(const Iprev& iprev, bool ptr_cached) {
  const bool is_pass = iprev.result == IprevResult::pass;
  return ptr_cached && std::ranges::all_of(iprev.names, [is_pass](const IprevName& name) {
           return !name.usable || name.cached || (is_pass && !dns::is_determined(name.status));
         });
}

/// Looks up all usable names at once; resumes when one has confirmed and the awaited ones have
/// answered, or when all have, or at the deadline.
io::Task<> confirm(std::shared_ptr<Race> race, IprevTools tools, io::Deadline deadline,
                   const IprevAwaited& awaited) {
  std::vector<Forward> forwards;
  for (std::size_t i = 0; i < race->iprev.names.size(); ++i) {
    const IprevName& name = race->iprev.names[i];
    if (!name.usable) continue;
    forwards.push_back({.index = i, .awaited = awaited && awaited(name.name)});
    if (forwards.back().awaited) ++race->awaited;
  }
  race->waiting = forwards.size();
  if (forwards.size() == 1) {
    co_await look_up_forward(race, tools.resolver, forwards.front(), deadline);
    co_return;
  }
  for (const Forward& forward : forwards)
    if (!tools.lookups.spawn("iprev forward lookup",
                             look_up_forward(race, tools.resolver, forward, deadline)))
      end_forward(*race, forward);
  while (race->waiting > 0 && (!race->confirmed || race->awaited > 0))
    if (!co_await race->changed.wait(deadline)) break;
}

/// Whether a name that is waited for has no answer.
bool is_incomplete(const Iprev& iprev, const IprevAwaited& awaited) {
  return awaited && iprev.result == IprevResult::pass &&
         std::ranges::any_of(iprev.names, [&awaited](const IprevName& name) {
           return name.usable && !dns::is_determined(name.status) && awaited(name.name);
         });
}

}  // namespace

IprevResult result_of(const Iprev& iprev) {
  if (!iprev.confirmed_name.empty()) return IprevResult::pass;
  if (!dns::is_determined(iprev.ptr_status)) return IprevResult::temperror;
  // Undetermined never looks like missing: one name without an answer could have confirmed.
  const bool undetermined = std::ranges::any_of(iprev.names, [](const IprevName& name) {
    return name.usable && !dns::is_determined(name.status);
  });
  return undetermined ? IprevResult::temperror : IprevResult::fail;
}

io::Task<Iprev> check_iprev(IprevTools tools, IpAddress client, io::Deadline deadline,
                            IprevAwaited awaited) {
  const SteadyTime started = tools.clock.now();
  auto race = std::make_shared<Race>(tools.clock);
  race->iprev.address = client;
  dns::Answer ptr = co_await tools.resolver.lookup(client.reverse_name(), dns::Type::ptr, deadline);
  take_names(race->iprev, std::move(ptr));
  if (!race->iprev.names.empty()) co_await confirm(race, tools, deadline, awaited);

  race->settled = true;
  Iprev iprev = std::move(race->iprev);
  iprev.result = result_of(iprev);
  iprev.incomplete = is_incomplete(iprev, awaited);
  iprev.secure = is_secure(iprev, iprev.secure);
  iprev.cached = is_cached(iprev, iprev.cached);
  iprev.ttl_seconds = smallest_ttl(iprev);
  iprev.took = tools.clock.now() - started;
  co_return iprev;
}

bool confirms(const IprevName& name, const IpAddress& client) {
  return std::ranges::find(name.addresses, client) != name.addresses.end();
}

Dnssec iprev_dnssec(const Iprev& iprev) {
  if (iprev.secure) return Dnssec::secure;
  // A result that is determined stands on none of them.
  if (iprev.result != IprevResult::temperror) return Dnssec::insecure;
  const bool is_bogus = iprev.ptr_status == dns::Status::bogus ||
                        std::ranges::any_of(iprev.names, [](const IprevName& name) {
                          return name.usable && name.status == dns::Status::bogus;
                        });
  return is_bogus ? Dnssec::bogus : Dnssec::insecure;
}

std::string_view dnssec_word(Dnssec dnssec) {
  switch (dnssec) {
    case Dnssec::insecure:
      return "insecure";
    case Dnssec::secure:
      return "secure";
    case Dnssec::bogus:
      return "bogus";
  }
  return "insecure";
}

std::string_view iprev_result_word(IprevResult result) {
  switch (result) {
    case IprevResult::none:
      return "none";
    case IprevResult::pass:
      return "pass";
    case IprevResult::fail:
      return "fail";
    case IprevResult::temperror:
      return "temperror";
    case IprevResult::permerror:
      return "permerror";
  }
  return "none";
}

std::string iprev_properties(const Iprev& iprev) {
  // RFC 8601 section 2.2: a value is a token or a quoted string, and a token has no colon.
  std::string text = "policy.iprev=";
  text += iprev.address.is_v4() ? iprev.address.text() : '"' + iprev.address.text() + '"';
  if (!iprev.confirmed_name.empty()) text += " (" + iprev.confirmed_name + ")";
  return text;
}

}  // namespace postern::auth
