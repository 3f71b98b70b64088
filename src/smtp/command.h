#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "mail/address.h"
#include "mail/envelope.h"
#include "smtp/reply.h"

namespace postern::smtp {

enum class Verb : std::uint8_t {
  helo,
  ehlo,
  mail,
  rcpt,
  data,
  rset,
  noop,
  vrfy,
  help,
  quit,
  starttls,
  xclient,
  xforward,
  not_offered,  ///< a command of some RFC that this server does not implement
  foreign,      ///< of another protocol: a browser or proxy was pointed at this port
  unknown,
};

/// One command line taken apart.
struct Command {
  Verb verb = Verb::unknown;
  std::string_view argument;  ///< behind the verb and one blank, without blanks at its end
};

/// RFC 5321 section 2.4: verbs are the same in any case. `line` has no line end and outlives the
/// command.
Command split_command(std::string_view line);

/// Whether the client may use extension parameters.
enum class Greeting : std::uint8_t { none, helo, ehlo };

/// RFC 5321 section 4.1.1.2, with SIZE (RFC 1870), BODY (RFC 6152), RET and ENVID (RFC 3461).
struct MailCommand {
  mail::Envelope envelope;  ///< without recipients
  std::optional<std::uint64_t> size_bytes;
};
/// RFC 5321 section 4.1.1.3, with NOTIFY and ORCPT (RFC 3461).
struct RcptCommand {
  mail::Recipient recipient;
  mail::Mailbox mailbox;  ///< the same address in parts
};

/// Each takes the argument of its command; the error is the reply that it deserves.
std::expected<MailCommand, Reply> parse_mail(std::string_view argument, Greeting greeting);
std::expected<RcptCommand, Reply> parse_rcpt(std::string_view argument, Greeting greeting);
/// RFC 5321 section 4.1.1.1: the name that follows HELO or EHLO. Names that real hosts use though
/// they are no domains are taken; blanks and controls are not.
std::expected<std::string, Reply> parse_helo(std::string_view argument);

}  // namespace postern::smtp
