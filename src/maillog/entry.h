#pragma once

#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "base/time.h"

namespace postern::maillog {

/// Which program wrote a line.
enum class Writer : std::uint8_t { unknown, postfix, exim, sendmail };
std::string_view writer_name(Writer writer);

/// The SMTP command in whose answer a client was refused.
enum class Stage : std::uint8_t { unknown, connect, helo, mail, rcpt, data, end_of_data, other };
std::string_view stage_name(Stage stage);

/// Why a client was refused, as far as the option "Reject unknown IP address" is concerned.
enum class Reason : std::uint8_t {
  other,
  no_ptr,       ///< the address has no reverse name
  unconfirmed,  ///< it has none that leads back to it; Postfix says so of both
  unanswered,   ///< the lookup of the name had no answer
};
/// "other", "no-ptr", "no-confirmed-name", "unanswered".
std::string_view reason_name(Reason reason);

/// What one line of a mail log tells. All texts are parts of the line that was read.
struct Entry {
  enum class Kind : std::uint8_t {
    unreadable,  ///< no line of a log: no time in front
    irrelevant,  ///< of a log, and about nothing that is looked for
    connected,   ///< a client connected
    accepted,    ///< a transaction of a client got a queue id; Exim: the message was taken
    sender,      ///< queue id -> reverse path
    delivered,   ///< queue id -> forward path, which somebody took
    deferred,    ///< the same, nobody took it yet
    bounced,     ///< the same, nobody will
    refused,     ///< a client was answered 4xx or 5xx
    ended,       ///< the queue id means nothing any more
  };

  Kind kind = Kind::unreadable;
  Writer writer = Writer::unknown;
  WallTime time;
  std::string_view host;      ///< that wrote it, as syslog names it, or empty
  std::string_view queue_id;  ///< of that host

  IpAddress client;  ///< of connected, accepted, refused
  /// The client's name as the log's server knows it, which it has confirmed; empty when unknown.
  std::string_view client_name;
  std::string_view helo;
  std::string_view sender;     ///< without brackets; empty also when it is not told
  std::string_view recipient;  ///< the same
  bool sender_told = false;    ///< tells the null reverse path from none
  bool authenticated = false;  ///< the client logged in

  // Of a refusal:
  Stage stage = Stage::unknown;
  Reason reason = Reason::other;
  int code = 0;  ///< 450; 0 when the log does not tell
  bool temporary = false;
  bool warning_only = false;  ///< would have been refused and was not (Postfix's warn_if_reject)
  std::string_view enhanced;  ///< "4.7.25", or empty
  std::string_view text;      ///< the reply behind the codes
};

}  // namespace postern::maillog
