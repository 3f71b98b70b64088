#pragma once

#include <optional>
#include <string_view>

#include <boost/json/object.hpp>

#include "auth/iprev.h"

namespace postern::ledger {

/// The lookups of one client as the ledger keeps them and `postern explain --json` shows them:
///   {"ptr":{"name":"7.2.0.192.in-addr.arpa","status":"NOERROR","count":1,"ttl":300},
///    "names":[{"name":"mail.example.com","usable":true,"status":"NOERROR",
///              "addresses":["192.0.2.9"],"ttl":300,"secure":false}],
///    "confirmed_name":"","secure":false,"ttl":300,"took_ms":12}
/// Of a name that is not usable, what was not looked up is left out. "addresses_count" says how
/// many addresses a name has when not all of them are told.
boost::json::object lookups_json(const auth::Iprev& iprev);

/// Reads the text of it back. `client`: the address that was looked up. nullopt: it is not of this
/// form, or larger than `lookups_bytes_max`. What stands in it and can not have been written is
/// left out, so that a name is printable ASCII.
std::optional<auth::Iprev> read_lookups(std::string_view text, const IpAddress& client);

inline constexpr std::size_t lookups_bytes_max = 64 << 10;

}  // namespace postern::ledger
