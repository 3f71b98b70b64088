#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"
#include "dns/resolver.h"
#include "io/clock.h"
#include "io/deadline.h"
#include "io/task.h"

namespace postern::auth {

/// RFC 8601 section 2.7.3.
enum class IprevResult : std::uint8_t { none, pass, fail, temperror, permerror };

/// What one PTR name came to.
struct IprevName {
  std::string name;     ///< as dns::Answer writes names
  bool usable = false;  ///< a host name: letters, digits, hyphens, at least two labels, not numeric
  dns::Status status =
      dns::Status::timed_out;  ///< of the forward lookup; meaningless when not usable
  std::vector<IpAddress> addresses;
  std::uint32_t ttl_seconds = 0;
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
  std::uint32_t ttl_seconds = 0;  ///< the smallest TTL met
  Duration took{};
};

/// RFC 8601 section 3: looks up the PTR names and their addresses (names in parallel). One
/// confirming name is enough, whatever became of the others. Ends at the deadline at the latest:
/// what has no answer by then is timed_out.
io::Task<Iprev> check_iprev(dns::Resolver& resolver, io::Clock& clock, IpAddress client,
                            io::Deadline deadline);

}  // namespace postern::auth
