#include "policy/remedy.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dns/name.h"

namespace postern::policy {
namespace {

/// Stands where nobody but the sender knows the host's name.
constexpr std::string_view placeholder = "mail.example.com";

std::string name_of_host(std::string_view helo) {
  const std::string name = to_lower(helo);
  return dns::is_host_name(name) ? name : std::string(placeholder);
}

std::string ptr_record(const IpAddress& client, std::string_view name) {
  return fmt::format("{}. IN PTR {}.", client.reverse_name(), name);
}

std::string address_record(std::string_view name, const IpAddress& client) {
  return fmt::format("{}. IN {} {}", name, client.is_v4() ? "A" : "AAAA", client.text());
}

constexpr const char* who_publishes_ptr =
    "The PTR record is published by whoever owns the address: the hosting or internet provider, as "
    "a "
    "rule, by request or in its control panel.";

Remedy new_name(const auth::Iprev& iprev, std::string_view helo) {
  Remedy remedy;
  const std::string name = name_of_host(helo);
  remedy.records = {ptr_record(iprev.address, name), address_record(name, iprev.address)};
  remedy.advice.emplace_back(who_publishes_ptr);
  remedy.advice.emplace_back("The address record is published in the zone of the name.");
  if (name == placeholder)
    remedy.advice.push_back(
        fmt::format("Put the server's own name in the place of {}.", placeholder));
  return remedy;
}

Remedy more_addresses(const auth::Iprev& iprev, UnknownIpState state) {
  Remedy remedy;
  const auto name = std::ranges::find_if(iprev.names, [state](const auth::IprevName& n) {
    return n.usable && (state == UnknownIpState::no_forward || !n.addresses.empty());
  });
  if (name == iprev.names.end()) return remedy;
  remedy.records = {address_record(name->name, iprev.address)};
  if (state == UnknownIpState::mismatch)
    remedy.advice.push_back(
        fmt::format("In addition to the addresses that {} has, if the server sends from all of "
                    "them. If the name "
                    "belongs to another server, the PTR record of {} has to name this one instead.",
                    printable(name->name), iprev.address.text()));
  else
    remedy.advice.emplace_back("It is published in the zone of the name.");
  return remedy;
}

Remedy reachable_servers(const auth::Iprev& iprev) {
  Remedy remedy;
  const auto advise = [&remedy](std::string_view name, dns::Status status) {
    remedy.advice.push_back(fmt::format(
        "The lookup of {} came to {}. If that lasts, the name servers of its zone (or our own "
        "resolver) are to be looked at; nothing is known against the client.",
        printable(name), dns::status_name(status)));
  };
  if (!dns::is_determined(iprev.ptr_status)) advise(iprev.address.reverse_name(), iprev.ptr_status);
  for (const auth::IprevName& name : iprev.names)
    if (name.usable && !dns::is_determined(name.status)) advise(name.name, name.status);
  return remedy;
}

}  // namespace

Remedy remedy_for(UnknownIpState state, const auth::Iprev& iprev, std::string_view helo) {
  switch (state) {
    case UnknownIpState::no_ptr:
    case UnknownIpState::bad_name:
      return new_name(iprev, helo);
    case UnknownIpState::no_forward:
    case UnknownIpState::mismatch:
      return more_addresses(iprev, state);
    case UnknownIpState::temp_error:
      return reachable_servers(iprev);
    case UnknownIpState::pass:
    case UnknownIpState::skipped:
      break;
  }
  return {};
}

}  // namespace postern::policy
