#pragma once

#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "smtp/client_machine.h"

namespace postern::delivery {

/// One address of a host that may take the mail.
struct Target {
  smtp::ClientProtocol protocol = smtp::ClientProtocol::smtp;
  std::string name;  ///< of the host, for TLS and people; the address when it has none
  Endpoint endpoint;

  /// "mx.example.com [192.0.2.1]:25"
  [[nodiscard]] std::string text() const;
};

/// What an attempt came to for one recipient, or for a host or a destination as a whole.
struct Outcome {
  smtp::ClientVerdict verdict = smtp::ClientVerdict::undecided;
  std::string status;           ///< RFC 3463, of the verdict's class
  std::string reply;            ///< "550 5.1.1 no such user"; our own words when not from_peer
  bool from_peer = false;       ///< `reply` is what the next hop said
  bool our_end = false;         ///< we ended the attempt (shutdown): nothing is known, try at once
  bool dsn_passed_on = false;   ///< the next hop took over the duty of DSN
  bool final_delivery = false;  ///< delivered by LMTP: into the mailbox
  std::string remote_name;      ///< of the next hop, empty when none was reached
  std::string remote;           ///< Target::text()
};

/// The longest reply kept: it goes to the log, the queue's record and the report.
inline constexpr std::size_t reply_bytes_max = 1000;

// The one place where what the world did becomes an outcome.

/// A recipient's outcome of a transaction.
Outcome outcome_of(const smtp::ClientOutcome& result, const Target& target);
/// A connection that ended before it was ready for mail (greeting, EHLO).
Outcome outcome_of(const smtp::ClientEnd& end, const Target& target);
/// A connection that did not come about.
Outcome outcome_of(const Error& error, const Target& target);
/// A failure of ours: the queue's content cannot be read.
Outcome outcome_of_queue(const Error& error);
/// A verdict of the lookup.
Outcome outcome_of_lookup(Persistence persistence, std::string status, const std::string& words);
/// The administrator removed the message and wants its sender to hear of it. `reason` may be empty.
Outcome removed_by_administrator(std::string_view reason);
/// The lifetime of a message is over.
Outcome expired(Outcome last);

}  // namespace postern::delivery
