#include "ledger/lookups_json.h"

#include <algorithm>
#include <array>
#include <limits>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "base/text.h"

namespace postern::ledger {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using std::chrono::milliseconds;

constexpr std::array statuses{dns::Status::ok,        dns::Status::no_data, dns::Status::nx_domain,
                              dns::Status::serv_fail, dns::Status::bogus,   dns::Status::timed_out};
/// A name of the DNS has 255 octets at most, each written as \DDD at worst (RFC 1035).
constexpr std::size_t name_bytes_max = 1020;
constexpr std::uint64_t took_ms_max = 3'600'000;

object name_json(const auth::IprevName& name) {
  object out{{"name", name.name}, {"usable", name.usable}};
  if (!name.usable) return out;
  array addresses;
  for (const IpAddress& address : name.addresses) addresses.emplace_back(address.text());
  out["status"] = dns::status_name(name.status);
  out["addresses"] = std::move(addresses);
  if (name.addresses_left_out > 0)
    out["addresses_count"] = name.addresses.size() + name.addresses_left_out;
  out["ttl"] = name.ttl_seconds;
  out["secure"] = name.secure;
  return out;
}

std::string text_in(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  if (found == nullptr || !found->is_string()) return {};
  const std::string_view text = found->get_string();
  const bool possible = text.size() <= name_bytes_max && std::ranges::all_of(text, ascii_printable);
  return possible ? std::string(text) : std::string();
}

bool flag_in(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

std::uint64_t number_in(const object& from, std::string_view key, std::uint64_t number_max) {
  const value* found = from.if_contains(key);
  if (found == nullptr || !found->is_number()) return 0;
  boost::system::error_code wrong;
  const auto number = found->to_number<std::uint64_t>(wrong);
  return wrong ? 0 : std::min(number, number_max);
}

std::uint32_t ttl_in(const object& from) {
  return static_cast<std::uint32_t>(
      number_in(from, "ttl", std::numeric_limits<std::uint32_t>::max()));
}

dns::Status status_in(const object& from) {
  const std::string word = text_in(from, "status");
  const auto* found = std::ranges::find(statuses, word, dns::status_name);
  return found == statuses.end() ? dns::Status::timed_out : *found;
}

auth::IprevName read_name(const object& from) {
  auth::IprevName name;
  name.name = text_in(from, "name");
  name.usable = flag_in(from, "usable");
  if (!name.usable) return name;
  name.status = status_in(from);
  name.ttl_seconds = ttl_in(from);
  name.secure = flag_in(from, "secure");
  const value* addresses = from.if_contains("addresses");
  if (addresses == nullptr || !addresses->is_array()) return name;
  for (const value& entry : addresses->get_array()) {
    if (!entry.is_string() || name.addresses.size() == auth::iprev_addresses_max) continue;
    if (const auto address = IpAddress::parse(std::string_view(entry.get_string())))
      name.addresses.push_back(*address);
  }
  const std::size_t count = number_in(from, "addresses_count", lookups_bytes_max);
  if (count > name.addresses.size()) name.addresses_left_out = count - name.addresses.size();
  return name;
}

std::vector<auth::IprevName> read_names(const object& from) {
  std::vector<auth::IprevName> names;
  const value* list = from.if_contains("names");
  if (list == nullptr || !list->is_array()) return names;
  for (const value& entry : list->get_array())
    if (entry.is_object() && names.size() < auth::iprev_names_max)
      names.push_back(read_name(entry.get_object()));
  return names;
}

}  // namespace

object lookups_json(const auth::Iprev& iprev) {
  array names;
  for (const auth::IprevName& name : iprev.names) names.push_back(name_json(name));
  return object{{"ptr", object{{"name", iprev.address.reverse_name()},
                               {"status", dns::status_name(iprev.ptr_status)},
                               {"count", iprev.ptr_count},
                               {"ttl", iprev.ptr_ttl_seconds}}},
                {"names", std::move(names)},
                {"confirmed_name", iprev.confirmed_name},
                {"secure", iprev.secure},
                {"ttl", iprev.ttl_seconds},
                {"took_ms", std::chrono::duration_cast<milliseconds>(iprev.took).count()}};
}

std::optional<auth::Iprev> read_lookups(std::string_view text, const IpAddress& client) {
  if (text.size() > lookups_bytes_max) return std::nullopt;
  boost::system::error_code wrong;
  const value whole = boost::json::parse(text, wrong);
  if (wrong || !whole.is_object()) return std::nullopt;
  const object& from = whole.get_object();
  const value* ptr = from.if_contains("ptr");
  if (ptr == nullptr || !ptr->is_object()) return std::nullopt;
  auth::Iprev iprev;
  iprev.address = client;
  iprev.ptr_status = status_in(ptr->get_object());
  iprev.ptr_ttl_seconds = ttl_in(ptr->get_object());
  iprev.names = read_names(from);
  iprev.ptr_count = std::max<std::size_t>(iprev.names.size(),
                                          number_in(ptr->get_object(), "count", lookups_bytes_max));
  iprev.confirmed_name = text_in(from, "confirmed_name");
  iprev.secure = flag_in(from, "secure");
  iprev.ttl_seconds = ttl_in(from);
  iprev.took = milliseconds(number_in(from, "took_ms", took_ms_max));
  iprev.result = auth::result_of(iprev);
  return iprev;
}

}  // namespace postern::ledger
