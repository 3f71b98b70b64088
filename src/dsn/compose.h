#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "mail/envelope.h"

namespace postern::dsn {

/// RFC 3464 section 2.3.3: what became of the message for one recipient.
enum class Action : std::uint8_t { failed, delayed, delivered, relayed };

/// What happened to one recipient. Everything but the enums and times may be text of a peer's: it
/// is cut, made printable and folded here.
struct RecipientResult {
  std::string final_recipient{};     ///< the address we tried
  std::string original_recipient{};  ///< ORCPT, "rfc822;user@example.com"; empty when not given
  Action action = Action::failed;
  std::string status{};       ///< RFC 3463: "5.1.1"; anything else becomes "5.0.0" or "4.0.0"
  std::string remote_name{};  ///< the next hop that answered; empty when none was reached
  std::string
      remote_reply{};         ///< its SMTP reply, "550 5.1.1 no such user"; empty when it gave none
  std::string explanation{};  ///< our own words, when there is no reply: "connection refused"
  WallTime last_attempt{};    ///< epoch when there was none
  WallTime will_retry_until{};  ///< only for `delayed`
  bool lifetime_over = false;   ///< failed because we tried for long enough, not by a refusal
};

/// The facts of one report.
struct Report {
  std::string reporting_mta;  ///< our host name
  std::string postmaster;     ///< whom the reader may ask; empty: postmaster@reporting_mta
  std::string to;             ///< the reverse path of the original message, never empty
  std::string unique;         ///< letters and digits, new for each report: Message-ID and boundary
  WallTime now;
  WallTime arrived;           ///< of the original message
  std::string received_from;  ///< the host that gave it to us, as it was called; may be empty
  std::string envelope_id;    ///< RFC 3461 ENVID, decoded; may be empty
  std::string queue_id;       ///< our name for the original, for the administrator
  mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
  std::vector<RecipientResult> recipients;  ///< at least one
  /// The original message from its beginning, CRLF line ends. Views; used only during the call.
  std::string_view content;
  bool content_complete = false;  ///< `content` is the whole message, not only its beginning
};

struct ComposeLimits {
  std::uint64_t content_bytes_max = 64 * 1024;  ///< a larger original: only its header comes back
  std::uint64_t header_bytes_max = 32 * 1024;   ///< of the original's header; cut at a line
};

struct ComposedReport {
  std::string content;  ///< a whole message, CRLF line ends, lines of at most 998 bytes
  mail::BodyType body = mail::BodyType::seven_bit;  ///< for the report's own envelope
};

/// Writes the report: RFC 3464 within RFC 6522 multipart/report. The caller sends it from the null
/// reverse path, and asks dsn/rules.h first whether it may. Pure: the same facts give the same
/// bytes.
///
/// What comes back of the original: the whole message when the sender asked for it (RET=FULL), it
/// is there, small enough, and can travel in a message/rfc822 part (lines up to 998 bytes, no NUL);
/// else its header. Bytes over 127 in a header come back as quoted-printable, so that the report is
/// 7-bit and every server on the way takes it; a whole 8-bit message cannot be encoded (RFC 2046
/// section 5.2.1), so that report says 8bit and `body` says eight_bit_mime.
ComposedReport compose(const Report& report, const ComposeLimits& limits = {});

}  // namespace postern::dsn
