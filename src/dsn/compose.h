#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dsn/wording.h"
#include "mail/envelope.h"

namespace postern::dsn {

/// RFC 3464 section 2.3.3: what became of the message for one recipient.
enum class Action : std::uint8_t { failed, delayed, delivered, relayed, expanded };

/// Who reads the report.
enum class Audience : std::uint8_t {
  sender,      ///< whoever sent the message
  postmaster,  ///< of this server, since the sender cannot be told (a double bounce)
};

/// What happened to one recipient. Everything but the enums and times may be text of a peer's: it
/// is cut, made printable and folded here.
struct RecipientResult {
  std::string final_recipient{};  ///< the address we tried; UTF-8 when it is not ASCII
  /// ORCPT with its xtext decoded, "rfc822;user@example.com"; empty when not given
  std::string original_recipient{};
  Action action = Action::failed;
  std::string status{};  ///< RFC 3463: "5.1.1"; what is none of the action's class becomes X.0.0
  std::string remote_name{};  ///< the next hop that answered, a name or an address; or empty
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
  Audience audience = Audience::sender;
  std::string to;  ///< whom it goes to: the reverse path of the original, or the postmaster
  std::string
      sender;  ///< of the original, when `to` is somebody else; empty: the null reverse path
  std::string unique;  ///< letters and digits, new for each report: Message-ID and boundary
  WallTime now;
  WallTime arrived;              ///< of the original message
  std::string received_from;     ///< what the host that gave it to us said in EHLO; may be empty
  std::string received_address;  ///< its IP address; may be empty
  std::string envelope_id;       ///< RFC 3461 ENVID, its xtext decoded; may be empty
  std::string queue_id;          ///< our name for the original, for the administrator
  mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
  bool smtputf8 = false;                    ///< the original came with SMTPUTF8 (RFC 6531)
  std::vector<RecipientResult> recipients;  ///< at least one
  /// The original message from its beginning, CRLF line ends. Views; used only during the call.
  std::string_view content;
  bool content_complete = false;  ///< `content` is the whole message, not only its beginning
  /// The words of the part for people; several languages stand one below the other. A view. None:
  /// English.
  std::span<const Wording> wordings{};
};

struct ComposeLimits {
  std::uint64_t content_bytes_max = 64 * 1024;  ///< a larger original: only its header comes back
  std::uint64_t header_bytes_max = 32 * 1024;   ///< of the original's header; cut at a line
  /// Of what is told of recipients in the part for people, in each language.
  std::uint64_t human_bytes_max = 64 * 1024;
  /// Of all Diagnostic-Codes together; each may have 100 bytes at least.
  std::uint64_t diagnostic_bytes_max = 256 * 1024;
};

struct ComposedReport {
  std::string content;  ///< a whole message, CRLF line ends, lines of at most 998 bytes
  mail::BodyType body = mail::BodyType::seven_bit;  ///< for the report's own envelope
  bool smtputf8 = false;  ///< for the report's own envelope: its header is not ASCII
};

/// Writes the report: RFC 3464 within RFC 6522 multipart/report. The caller sends it from the null
/// reverse path, and asks dsn/rules.h first whether it may. Pure: the same facts give the same
/// bytes.
///
/// What comes back of the original: the whole message when the sender asked for it (RET=FULL), it
/// is there, small enough, and can travel in a message part (lines up to 998 bytes, no NUL); else
/// its header. Bytes over 127 in a header come back as quoted-printable, so that the report is
/// 7-bit and every server on the way takes it; a whole 8-bit message cannot be encoded (RFC 2046
/// section 5.2.1), so that report says 8bit and `body` says eight_bit_mime.
///
/// Only a report to an address that is not ASCII needs SMTPUTF8 (RFC 6533); it then uses UTF-8
/// throughout. All others have ASCII forms of what is not ASCII.
///
/// Size: the original's limits, human_bytes_max and about 8 KiB for each language,
/// diagnostic_bytes_max, and for each recipient its addresses and about 500 bytes.
ComposedReport compose(const Report& report, const ComposeLimits& limits = {});

}  // namespace postern::dsn
