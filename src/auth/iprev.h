#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "dns/resolver.h"
#include "io/clock.h"
#include "io/deadline.h"
#include "io/task.h"
#include "io/task_group.h"

namespace postern::auth {

/// RFC 8601 section 2.7.3.
/// DEVIATION(RFC 8601): a client without PTR is `fail`, where the RFC says `permerror`. Readers of
/// the header field act on `fail`; that a PTR is missing is nothing they could wait out or mend.
enum class IprevResult : std::uint8_t { none, pass, fail, temperror, permerror };

/// What one PTR name came to.
struct IprevName {
  std::string name;     ///< as dns::Answer writes names
  bool usable = false;  ///< a host name: letters, digits, hyphens, at least two labels, not numeric
  dns::Status status =
      dns::Status::timed_out;  ///< of the forward lookup; meaningless when not usable
  /// Ascending; the first iprev_addresses_max, the client's own among them when there.
  std::vector<IpAddress> addresses;
  std::size_t addresses_left_out = 0;
  std::uint32_t ttl_seconds = 0;
  bool secure = false;  ///< the forward answer was DNSSEC validated
  bool cached = false;  ///< it was in the resolver's own cache
};

/// Forward-confirmed reverse DNS of one address, with everything that was seen on the way.
struct Iprev {
  IpAddress address;
  IprevResult result = IprevResult::none;
  dns::Status ptr_status = dns::Status::timed_out;
  std::uint32_t ptr_ttl_seconds = 0;
  std::size_t ptr_count = 0;      ///< how many there were; at most 10 are in `names`
  std::vector<IprevName> names;   ///< in sorted order
  std::string confirmed_name;     ///< the first that confirmed, for `pass`
  bool secure = false;            ///< every answer that the result stands on was DNSSEC validated
  bool cached = false;            ///< every answer that counts was in the resolver's own cache
  bool incomplete = false;        ///< a pass, but a name that was waited for has no answer
  std::uint32_t ttl_seconds = 0;  ///< the smallest TTL met
  Duration took{};
};

/// How many PTR names are looked at, the first in sorted order: a zone with hundreds of them must
/// not cost us hundreds of lookups.
inline constexpr std::size_t iprev_names_max = 10;
/// How many addresses of a name are kept: a zone with hundreds of them for each name must not cost
/// us their memory for each client.
inline constexpr std::size_t iprev_addresses_max = 32;

/// Which names are waited for although another one has confirmed. Lives as long as the check.
using IprevAwaited = std::function<bool(std::string_view name)>;

/// What checks work with.
struct IprevTools {
  dns::Resolver& resolver;
  io::Clock& clock;
  /// Owns the parallel lookups, which may end after the check (at its deadline at the latest); its
  /// owner joins it before `resolver` goes. When it is full, a name counts as timed_out.
  io::TaskGroup& lookups;
};

/// RFC 8601 section 3: looks up the PTR names and their addresses (names in parallel). One
/// confirming name is enough, whatever became of the others: returns as soon as there is one, and
/// the names that are awaited have answered; what has no answer by then stands as timed_out. Ends
/// at the deadline at the latest.
io::Task<Iprev> check_iprev(IprevTools tools, IpAddress client, io::Deadline deadline,
                            IprevAwaited awaited = {});

/// Whether the name has the client's address.
bool confirms(const IprevName& name, const IpAddress& client);

/// What the answers in it come to; a name without an answer could have confirmed, and makes a
/// temperror of what is no pass.
IprevResult result_of(const Iprev& iprev);

/// RFC 4035 section 4.3: what DNSSEC says of the answers that a result stands on. Without a
/// validating resolver everything is insecure.
enum class Dnssec : std::uint8_t { insecure, secure, bogus };
Dnssec iprev_dnssec(const Iprev& iprev);
/// "insecure", "secure", "bogus".
std::string_view dnssec_word(Dnssec dnssec);

/// RFC 8601 section 2.7.3: the word for Authentication-Results: "pass", "fail", "temperror".
std::string_view iprev_result_word(IprevResult result);
/// What follows the word: `policy.iprev=192.0.2.7 (mail.example.com)`; the comment only for a pass.
/// Safe to put into a header field: names in it are host names.
std::string iprev_properties(const Iprev& iprev);

}  // namespace postern::auth
