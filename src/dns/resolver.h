#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "io/deadline.h"
#include "io/task.h"

namespace postern::dns {

enum class Type : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28 };

/// What a lookup came to. The first three are authoritative answers; the rest say nothing about the
/// name.
enum class Status : std::uint8_t {
  ok,         ///< at least one record
  no_data,    ///< the name exists, not with this type
  nx_domain,  ///< the name does not exist
  serv_fail,  ///< servers failed, refused or were lame
  bogus,      ///< DNSSEC validation failed
  timed_out,  ///< the deadline passed or no server answered
};
[[nodiscard]] constexpr bool is_determined(Status status) {
  return status <= Status::nx_domain;
}
std::string_view status_name(Status status);
std::string_view type_name(Type type);

struct Mx {
  std::uint16_t preference = 0;
  std::string exchange;  ///< empty for the null MX "." (RFC 7505)
  auto operator<=>(const Mx&) const = default;
};

/// Names are lower case, without the trailing dot, in presentation form: a byte that is not
/// printable ASCII, and a dot or backslash inside a label, stand as \DDD or \. as RFC 1035
/// section 5.1 writes them. The root is "".
struct Answer {
  Status status = Status::timed_out;
  bool secure = false;  ///< DNSSEC validated
  bool cached = false;  ///< it was in our own cache: no server was asked for it now
  std::uint32_t ttl_seconds =
      0;  ///< smallest met along the CNAME chain; negative: by RFC 2308; 0 when undetermined
  std::string
      canonical_name;  ///< where the CNAME chain ended; the name asked for when there was none
  std::vector<IpAddress> addresses;  ///< a, aaaa
  std::vector<std::string> names;    ///< ptr, sorted
  std::vector<Mx> mail_exchanges;    ///< by preference, then name
  std::vector<std::string> texts;    ///< txt, strings of a record joined
};

/// Asks the DNS. CNAMEs are followed. Never fails otherwise than by Answer::status; the answer's
/// `timed_out` comes at the deadline at the latest. Concurrent lookups of one name and type cost
/// one. At most a bounded number is under way; beyond it a lookup ends as timed_out at once.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// `name` without a trailing dot. A name that cannot be asked (label over 63, name over 253,
  /// empty label) is nx_domain.
  virtual io::Task<Answer> lookup(std::string name, Type type, io::Deadline deadline) = 0;
  /// Ends the lookups under way, and later ones at once, as timed_out. At shutdown, before those
  /// who look up are stopped and joined.
  virtual void stop() {}
};

}  // namespace postern::dns
