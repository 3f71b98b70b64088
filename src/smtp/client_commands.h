#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mail/envelope.h"
#include "smtp/reply.h"

namespace postern::smtp {

/// RFC 5321 section 4.1.1.1: what a server offered in its EHLO (or LHLO) reply, as far as we use
/// it.
struct ServerExtensions {
  bool pipelining = false;           ///< RFC 2920
  bool eight_bit_mime = false;       ///< RFC 6152
  bool dsn = false;                  ///< RFC 3461
  bool starttls = false;             ///< RFC 3207
  bool smtputf8 = false;             ///< RFC 6531
  bool size = false;                 ///< RFC 1870
  std::uint64_t size_bytes_max = 0;  ///< what SIZE named; 0: it named no limit
  bool operator==(const ServerExtensions&) const = default;
};

/// Reads the lines after the first; unknown keywords are passed over.
ServerExtensions parse_extensions(const Reply& reply);

/// What MAIL says beside the reverse path. Views on the caller's text.
struct MailParameters {
  std::string_view reverse_path;
  std::uint64_t size_bytes = 0;
  mail::BodyType body = mail::BodyType::seven_bit;
  bool smtputf8 = false;
  mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
  std::string_view envelope_id;
};

/// Append one command with its CRLF to `out`, with the parameters that the server offers.
void append_mail(std::string& out, const MailParameters& mail, const ServerExtensions& offered);
void append_rcpt(std::string& out, const mail::Recipient& recipient,
                 const ServerExtensions& offered);

/// Whether an address can stand in a command: no control character (a CR or LF would begin a
/// command of its own), no bracket that ends it early, not longer than a command line may be.
/// Addresses were checked when they came in; this is the second lock.
bool is_safe_address(std::string_view address);

}  // namespace postern::smtp
