#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "dns/resolver.h"

namespace postern::dns {

/// One record of a zone.
struct Record {
  Type type = Type::a;
  std::uint32_t ttl_seconds = 0;
  std::string owner;             ///< in our form
  IpAddress address;             ///< a, aaaa
  std::string name;              ///< cname, ptr, mx
  std::uint16_t preference = 0;  ///< mx
  std::string text;              ///< txt, strings joined
};

/// What a name does instead of answering with records.
enum class Fault : std::uint8_t { nx_domain, no_data, serv_fail, refused, bogus, timed_out };
std::string_view fault_name(Fault fault);

/// Everything a zone says about one name.
struct ZoneName {
  std::vector<Record> records;
  std::optional<Fault> fault;        ///< for every type
  std::map<Type, Fault> type_fault;  ///< for one type
};

/// What a query for a name and type meets in a zone, one CNAME step at the most.
struct ZoneMatch {
  Fault fault = Fault::nx_domain;  ///< meaningless when there are records
  std::vector<Record> records;     ///< of the type asked for, or the one CNAME
  bool known = false;              ///< the zone says something about the name
};

/// Names and their records, held in memory: for tests, the demo and labs.
class Zone {
 public:
  /// Reads a subset of RFC 1035 section 5 master files, one record a line: `name [TTL] [IN] TYPE
  /// value`, `$ORIGIN name`, `$TTL seconds`, `;` comments, a line that begins with a space
  /// belongs to the name above. TYPE is A, AAAA, PTR, MX, CNAME or TXT; SOA and NS lines are
  /// skipped. Besides:
  ///   * the owner may be an address in brackets, meaning its reverse name: `[192.0.2.7] PTR ...`;
  ///   * `name SERVFAIL` (or REFUSED, TIMEOUT, BOGUS, NXDOMAIN, NODATA) makes the name do that for
  ///     every type, `name A SERVFAIL` for one type;
  ///   * `*.example.com` is a wildcard (RFC 4592).
  /// Names without a trailing dot are relative to $ORIGIN, which is the root at first. The error
  /// names the line.
  static Result<Zone> parse(std::string_view text);

  /// What a query meets. RFC 8020: a name with names below it exists (NODATA).
  [[nodiscard]] ZoneMatch find(std::string_view name, Type type) const;

  void add(Record record);
  void add_fault(std::string name, std::optional<Type> type, Fault fault);
  /// Adds all of another zone.
  void add(const Zone& other);

  static constexpr std::uint32_t negative_ttl_seconds = 60;

 private:
  [[nodiscard]] const ZoneName* find_name(std::string_view name) const;
  [[nodiscard]] bool exists(std::string_view name) const;
  void note_ancestors(std::string_view name);

  std::map<std::string, ZoneName, std::less<>> names_;
  std::map<std::string, bool, std::less<>> ancestors_;
};

}  // namespace postern::dns
