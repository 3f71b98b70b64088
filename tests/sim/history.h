#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace postern::sim {

/// Who sends: what the DNS says of the address it sends from.
enum class ClientKind : std::uint8_t {
  confirmed,   ///< a name that leads back
  flaky,       ///< the same, but its reverse zone fails for a while
  nameless,    ///< no PTR record: refused
  mismatched,  ///< its name leads elsewhere: refused
};
inline bool is_welcome(ClientKind kind) {
  return kind == ClientKind::confirmed || kind == ClientKind::flaky;
}

/// What the upstream knows of one recipient of its message.
enum class Fate : std::uint8_t { open, acknowledged, refused, given_up };

struct SentRecipient {
  std::string address;
  bool notify_never = false;
  Fate fate = Fate::open;
};

/// One message of the upstream, from its first attempt on.
struct Mail {
  std::string token;         ///< unique; stands in its content
  std::string reverse_path;  ///< empty: the null reverse path
  std::vector<SentRecipient> recipients;
  ClientKind client = ClientKind::confirmed;
  bool unwanted = false;  ///< every next hop refuses its content for good
  std::size_t content_bytes = 0;
  /// How often the whole content went out and no reply came: the gateway may have taken it.
  std::uint32_t unclear = 0;
  /// How often the content was answered 4xx.
  std::uint32_t deferred_content = 0;
};

/// One message for one recipient, as a next hop took it.
struct Arrival {
  std::string token;
  std::string recipient;
  std::string reverse_path;
  std::string host;
  /// The gateway went on in the session after the positive reply, so it knows.
  bool reply_was_read = false;
};

/// A report, as the sender's mailbox took it.
struct Report {
  std::string to;
  std::string token;
  std::vector<std::string> final_recipients;
  bool reply_was_read = false;
};

/// A 5xx that the gateway said to an upstream client.
struct PermanentReply {
  ClientKind client = ClientKind::confirmed;
  std::string token;
  std::string recipient;  ///< empty: not to RCPT
  std::string reply;
};

/// Everything that a run of a town left for the checkers. Plain values: a test of the checkers
/// changes them.
struct History {
  std::map<std::string, Mail> mails;  ///< by token
  std::vector<Arrival> arrivals;
  std::vector<Report> reports;
  std::uint32_t reports_refused = 0;  ///< to a reverse path that does not exist
  std::vector<PermanentReply> permanent_replies;

  std::uint32_t crashes = 0;
  std::uint32_t store_failures = 0;       ///< commits that were made to fail
  std::uint32_t outcomes_unrecorded = 0;  ///< deliveries that the gateway could not write down
  bool faults = false;                    ///< whether anything was made to fail

  std::size_t connections_max = 0;                      ///< the limit for each destination
  std::map<std::string, std::size_t> connections_most;  ///< by next hop

  bool healed = false;   ///< everything was over in time after the faults
  bool stopped = false;  ///< the server ended in its deadline
  std::size_t connections_left = 0;
  std::uint64_t messages_left = 0;
  std::uint64_t leases_left = 0;
  std::uint64_t records_damaged = 0;
  std::vector<std::string> oddities;  ///< what should not happen anywhere: broken replies
  std::uint64_t trace_hash = 0;
};

}  // namespace postern::sim
