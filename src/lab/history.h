#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "ledger/deferral.h"

namespace postern::lab {

/// What became of one recipient in an attempt.
struct AttemptRecipient {
  std::string address;
  std::string reply;      ///< the one that decided: to RCPT or, when that was good, a later one
  bool accepted = false;  ///< responsibility for it passed
};

/// One mail transaction, or a connection that came to none, as it was on the wire. Hosts are named
/// by their ids in the scenario. Times are since the beginning.
struct Attempt {
  Duration at{};
  Duration decided{};
  std::string from_host;
  std::string to_host;
  IpAddress from_address;
  IpAddress to_address;
  bool has_sender = false;  ///< MAIL was sent
  std::string sender;       ///< the reverse path; empty: null
  std::vector<AttemptRecipient> recipients;
  std::string failure;                ///< how the connection broke, when it did
  std::vector<std::string> dialogue;  ///< "C: ..." and "S: ..."
  std::string content;                ///< what was sent after DATA, CRLF line ends

  [[nodiscard]] bool accepted() const;
  /// What decided: the reply that refused a recipient, else the last one, else the failure.
  [[nodiscard]] std::string outcome() const;
};

/// A message that lies in a mailbox.
struct KeptLetter {
  Duration at{};
  std::string server;
  std::string recipient;
  std::string reverse_path;
  std::string content;
};

/// Something else that happened.
struct Happening {
  enum class Kind : std::uint8_t {
    sent,      ///< a user sends; `host` is the program
    refused,   ///< the program could not hand its mail over; `text` says what its user reads
    gave_up,   ///< `host` gave the message up, and reports
    dropped,   ///< `host` gave it up, and nobody is told
    kept,      ///< `host` gave it up where nobody may be told, and keeps it as a dead letter
    reported,  ///< `host` wrote a report of delay
    world,     ///< DNS records, outages
    log,       ///< a line of Postern's log
  };
  Duration at{};
  Kind kind = Kind::world;
  std::string host;
  std::string sender;
  std::string recipient;
  std::string text;
};

/// A lookup that a server asked.
struct Lookup {
  Duration at{};
  std::string host;
  std::string name;
  std::string type;
  std::string status;
};

/// What has changed in a Postern's ledger by this moment.
struct LedgerState {
  Duration at{};
  std::string host;
  std::vector<ledger::Deferral> deferrals;  ///< new ones, and those with another attempt
};

/// Everything that happened. Bounded by entries_max of each kind.
struct History {
  static constexpr std::size_t entries_max = 100'000;

  std::vector<Attempt> attempts;  ///< by the time of their end
  std::vector<KeptLetter> letters;
  std::vector<Happening> happenings;
  std::vector<Lookup> lookups;
  std::vector<LedgerState> ledgers;
  Duration now{};
  bool over = false;  ///< nothing more will happen
  bool full = false;  ///< a bound was met: what came later is not here
};

}  // namespace postern::lab
