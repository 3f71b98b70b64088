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
  bool confirmed = false;
  bool settled = false;  ///< `iprev` was given away: late answers are dropped
  io::Notify changed;
};

dns::Type address_type(const IpAddress& client) {
  return client.is_v4() ? dns::Type::a : dns::Type::aaaa;
}

void take_answer(Race& race, std::size_t index, dns::Answer answer) {
  if (race.settled) return;
  IprevName& name = race.iprev.names[index];
  name.status = answer.status;
  name.addresses = std::move(answer.addresses);
  name.ttl_seconds = answer.ttl_seconds;
  name.secure = answer.secure;
  // The addresses themselves, never their text: 192.0.2.1 and ::ffff:192.0.2.1 are one client.
  if (std::ranges::find(name.addresses, race.iprev.address) == name.addresses.end()) return;
  if (race.confirmed) return;
  race.confirmed = true;
  race.iprev.confirmed_name = name.name;
}

io::Task<> look_up_forward(std::shared_ptr<Race> race, dns::Resolver& resolver, std::size_t index,
                           io::Deadline deadline) {
  std::string name = race->iprev.names[index].name;
  dns::Answer answer =
      co_await resolver.lookup(std::move(name), address_type(race->iprev.address), deadline);
  take_answer(*race, index, std::move(answer));
  --race->waiting;
  race->changed.wake_all();
}

void take_names(Iprev& iprev, dns::Answer answer) {
  iprev.ptr_status = answer.status;
  iprev.ptr_ttl_seconds = answer.ttl_seconds;
  iprev.secure = answer.secure;
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

/// Looks up all usable names at once; resumes with the first that confirms, or when all have
/// answered, or at the deadline.
io::Task<> confirm(std::shared_ptr<Race> race, dns::Resolver& resolver, io::TaskGroup& lookups,
                   io::Deadline deadline) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < race->iprev.names.size(); ++i)
    if (race->iprev.names[i].usable) usable.push_back(i);
  race->waiting = usable.size();
  if (usable.size() == 1) {
    co_await look_up_forward(race, resolver, usable.front(), deadline);
    co_return;
  }
  for (const std::size_t index : usable)
    if (!lookups.spawn("iprev forward lookup", look_up_forward(race, resolver, index, deadline)))
      --race->waiting;
  while (race->waiting > 0 && !race->confirmed)
    if (!co_await race->changed.wait(deadline)) break;
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

io::Task<Iprev> check_iprev(dns::Resolver& resolver, io::Clock& clock, io::TaskGroup& lookups,
                            IpAddress client, io::Deadline deadline) {
  const SteadyTime started = clock.now();
  auto race = std::make_shared<Race>(clock);
  race->iprev.address = client;
  dns::Answer ptr = co_await resolver.lookup(client.reverse_name(), dns::Type::ptr, deadline);
  take_names(race->iprev, std::move(ptr));
  if (!race->iprev.names.empty()) co_await confirm(race, resolver, lookups, deadline);

  race->settled = true;
  Iprev iprev = std::move(race->iprev);
  iprev.result = result_of(iprev);
  iprev.secure = is_secure(iprev, iprev.secure);
  iprev.ttl_seconds = smallest_ttl(iprev);
  iprev.took = clock.now() - started;
  co_return iprev;
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
