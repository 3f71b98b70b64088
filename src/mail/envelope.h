#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postern::mail {

/// RFC 6152: what the body may hold.
enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime };

/// RFC 3461 section 4.3: what a failure report shall return.
enum class DsnReturn : std::uint8_t { unspecified, full, headers };

/// RFC 3461 section 4.1: when to report about a recipient. `never` excludes the others.
struct DsnNotify {
  bool specified = false;  ///< a NOTIFY parameter was given
  bool never = false;
  bool success = false;
  bool failure = false;
  bool delay = false;

  /// RFC 3461 section 4.1: without NOTIFY, failures (and, by choice, delays) are reported.
  [[nodiscard]] bool wants_failure() const { return specified ? failure : true; }
  bool operator==(const DsnNotify&) const = default;
};

/// One forward path.
struct Recipient {
  std::string address;  ///< local-part@domain as given (source route removed), or "postmaster"
  DsnNotify notify;
  /// RFC 3461 section 4.2: ORCPT decoded from xtext, "rfc822;user@example.com"; empty when not
  /// given.
  std::string original_recipient;
  bool operator==(const Recipient&) const = default;
};

/// RFC 5321 section 2.3.1: what goes beside the content of a mail transaction.
struct Envelope {
  std::string reverse_path;  ///< without brackets; empty is the null reverse path
  std::vector<Recipient> recipients;
  BodyType body = BodyType::seven_bit;
  bool smtputf8 = false;
  DsnReturn dsn_return = DsnReturn::unspecified;
  std::string envelope_id;  ///< RFC 3461 section 4.4: ENVID decoded from xtext
  bool operator==(const Envelope&) const = default;
};

}  // namespace postern::mail
