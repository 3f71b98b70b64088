#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/time.h"

namespace postern::dns {

/// How a server behaves over the wire when it is asked for one name and type, beside what its zone
/// says. The default is well-behaved.
struct Manner {
  // Transport.
  bool truncated = false;   ///< TRUNCATED: by UDP nothing but the TC bit
  bool oversized = false;   ///< OVERSIZED: a datagram may be as long as it likes
  bool tcp_closed = false;  ///< TCP-CLOSED: a TCP connection is closed without an answer
  unsigned lost = 0;        ///< LOST n: the first n questions have no answer
  Duration delay{};         ///< DELAY ms
  // Instead of the zone's answer.
  std::optional<unsigned> code;       ///< CODE n: this response code and no record
  std::optional<unsigned> edns_code;  ///< EDNS-CODE n: the same, to a question with EDNS
  bool lame = false;                  ///< LAME: an upward referral to the root
  // Forgery: what the forged zone says is sent in a datagram before the answer.
  bool forged_id = false;        ///< FORGED-ID: with another message id
  bool forged_question = false;  ///< FORGED-QUESTION: as the answer for another name
  bool only_forged = false;      ///< ONLY-FORGED: and the true answer is never sent
  bool additional = false;       ///< ADDITIONAL: the targets' forged addresses ride along
  bool in_answer = false;        ///< IN-ANSWER: the same in the answer section
  // Damage.
  bool pointer_loop = false;    ///< POINTER-LOOP: an owner name that points to itself
  bool value_loop = false;      ///< VALUE-LOOP: a name in a value that points to itself
  bool beyond = false;          ///< POINTER-BEYOND: a name that points past the end
  bool value_too_long = false;  ///< VALUE-TOO-LONG: a name of 320 octets in a value
  std::size_t cut = 0;          ///< CUT n: the last n bytes are missing
  bool twice = false;           ///< TWICE: every record stands there twice
  // Time to live.
  std::optional<std::uint32_t> ttl;          ///< TTL n: of every record, any 32 bits
  std::optional<std::uint32_t> soa_minimum;  ///< SOA-MINIMUM n
  bool without_soa = false;                  ///< NO-SOA: negative answers without one
  // DNSSEC, in a signed zone.
  bool unsigned_ = false;      ///< UNSIGNED: the signatures are left out
  bool bad_signature = false;  ///< BAD-SIGNATURE
  bool expired = false;        ///< EXPIRED: signatures that ended two days ago
};

/// The manners of a server by name and type.
class Manners {
 public:
  /// One `name TYPE WORD [value]` a line: the name may be an address in brackets, TYPE is A, AAAA,
  /// PTR, DNSKEY or * for every type, the words are those of Manner. `name * DNAME target` is a
  /// DNAME record (RFC 6672). The error names the line.
  static Result<Manners> parse(std::string_view text);

  /// Those for this type, or for every type, of the name; well-behaved when nothing is said.
  [[nodiscard]] const Manner& find(const std::string& name, std::uint16_t type) const;
  /// The DNAME above a name, as owner and target; nullptr when there is none.
  [[nodiscard]] const std::pair<const std::string, std::string>* dname_above(
      std::string_view name) const;
  [[nodiscard]] bool empty() const { return manners_.empty() && dnames_.empty(); }

 private:
  Result<> read_line(std::string_view line);

  std::map<std::pair<std::string, std::uint16_t>, Manner> manners_;  ///< type 0: every type
  std::map<std::string, std::string> dnames_;
};

}  // namespace postern::dns
