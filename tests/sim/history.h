#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "mail/envelope.h"

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
  std::string address;  ///< of this message alone
  mail::DsnNotify notify;
  std::string original_recipient;  ///< ORCPT, decoded; empty: not given
  Fate fate = Fate::open;
  SteadyTime acknowledged;
  /// When each transaction began in which it was named.
  std::vector<SteadyTime> asked;
  /// Of them, those in which the check of the client's address answered 4xx, and it was heard.
  std::vector<SteadyTime> deferred;
};

/// Every next hop refuses it for good: "gone..." at RCPT, "late..." at RCPT or after the content.
inline bool is_gone(const std::string& address) {
  return address.starts_with("gone") || address.starts_with("late");
}

/// The reverse path of clients that fall silent.
inline constexpr std::string_view silent_sender = "silent@sender.example";

/// One message of the upstream, from its first attempt on.
struct Mail {
  std::string token;         ///< unique; stands in its content
  std::string reverse_path;  ///< of this message alone; empty: the null reverse path
  std::string envelope_id;   ///< ENVID, decoded; empty: not given
  mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
  std::vector<SentRecipient> recipients;
  ClientKind client = ClientKind::confirmed;
  bool unwanted = false;  ///< every next hop refuses its content for good
  std::size_t content_bytes = 0;
  /// When MAIL was said first in a transaction that went as far as the content.
  SteadyTime first_sent = SteadyTime::max();
  /// How often the whole content went out and no reply came: the gateway may have taken it.
  std::uint32_t unclear = 0;
  /// How often the content was answered 4xx.
  std::uint32_t deferred_content = 0;
  /// The administrator took it out of the queue, or may have.
  bool removed = false;
  /// The administrator sent it back with a report.
  bool sent_back = false;
};

/// What was passed on of the DSN parameters, when the next hop offers DSN.
struct PassedDsn {
  bool offered = false;
  std::string notify;  ///< as it stood in RCPT, in upper case; empty: not given
  std::string original_recipient;
  std::string dsn_return;
  std::string envelope_id;
};

/// One message for one recipient, as a next hop took it.
struct Arrival {
  std::string token;
  std::string id;  ///< that the gateway gave it, as its trace header says
  std::string recipient;
  std::string reverse_path;
  std::string host;
  PassedDsn dsn;
  SteadyTime at;
  /// When the gateway went on in the session after the positive reply, so that it knows.
  SteadyTime read = SteadyTime::max();
  [[nodiscard]] bool reply_was_read() const { return read != SteadyTime::max(); }
};

/// What a report says of one recipient.
struct ReportedRecipient {
  std::string final_recipient;
  std::string original_recipient;
  std::string action;
  std::string status;
  bool says_until_when = false;  ///< Will-Retry-Until
};

/// A report, as the sender's mailbox took it.
struct Report {
  std::string to;
  std::string token;  ///< in what it returns of the message
  std::string envelope_id;
  bool returns_body = false;
  std::vector<ReportedRecipient> recipients;
  SteadyTime at;
  SteadyTime read = SteadyTime::max();
  [[nodiscard]] bool reply_was_read() const { return read != SteadyTime::max(); }
};

/// A 5xx that the gateway said to an upstream client.
struct PermanentReply {
  ClientKind client = ClientKind::confirmed;
  std::string token;
  std::string recipient;  ///< empty: not to RCPT
  std::string reply;
};

/// A next hop was asked to take a recipient, and what it said in the end: to RCPT or to the
/// content; 0: nothing.
struct Attempt {
  std::string recipient;
  std::string host;
  SteadyTime at;
  int code = 0;
  bool settled = false;  ///< the session went on to QUIT: the gateway has read the code
};

/// What the gateway's log says became of a recipient.
struct Outcome {
  enum class Kind : std::uint8_t { delivered, deferred, bounced, dead };
  Kind kind = Kind::deferred;
  std::string id;
  std::string recipient;
  std::string reply;
  SteadyTime at;
  std::string destination;
  std::string from;
};

/// A recipient who is dead in a dead letter that lies in the store at the end.
struct DeadLetter {
  std::string id;
  std::string reverse_path;
  std::string recipient;
  std::string token;                        ///< in its content
  std::vector<ReportedRecipient> reported;  ///< when it is a report
};

/// A delivery that was refused for now, as the gateway's ledger has it at the end. It is in memory:
/// nothing in it is from before the last crash.
struct Deferral {
  std::string sender;
  std::string recipient;
  std::uint32_t attempts = 0;  ///< refused; all of one moment count as one
  bool recovered = false;
};

/// From when to when something was so.
struct Span {
  SteadyTime begin;
  SteadyTime end = SteadyTime::max();
};

/// What the plan promised about times; the checkers measure by it.
struct Promises {
  std::vector<Duration> retry;
  Duration lifetime{};
  Duration report_lifetime{};
  Duration delay_notice{};  ///< 0: none are sent
  std::size_t connections_max = 0;
  Duration silent_session_max{};  ///< by when a session of a silent client has ended
  /// Nothing but next hops that refuse or are away, so that pauses can be measured.
  bool exact_retries = false;
  bool busy_next_hops = false;  ///< they refuse also before RCPT
};

/// Everything that a run of a town left for the checkers. Plain values: a test of the checkers
/// changes them.
struct History {
  std::map<std::string, Mail> mails;  ///< by token
  std::vector<Arrival> arrivals;
  std::vector<Report> reports;
  std::uint32_t reports_refused = 0;  ///< to a reverse path that does not exist
  std::vector<PermanentReply> permanent_replies;
  std::vector<Attempt> attempts;
  std::vector<Outcome> outcomes;
  std::map<std::string, std::vector<Span>> outages;  ///< by next hop
  std::vector<Duration> silent_sessions;             ///< how long the gateway bore each

  Promises promises;
  std::vector<SteadyTime> crashes;
  std::uint64_t commands = 0;        ///< messages that the administrator's commands changed
  std::uint32_t store_failures = 0;  ///< commits and file operations that were made to fail
  /// By id and destination, as the gateway says: what it could not write down, and when it had.
  std::multimap<std::pair<std::string, std::string>, SteadyTime> outcomes_unrecorded;
  std::multimap<std::pair<std::string, std::string>, SteadyTime> outcomes_recorded;
  Duration clock_forward{};  ///< how far its wall clock was set, all together
  Duration clock_back{};
  bool faults = false;  ///< whether anything was made to fail

  std::map<std::string, std::size_t> connections_most;  ///< by next hop

  bool healed = false;   ///< everything was over in time after the faults
  bool stopped = false;  ///< the server ended in its deadline
  std::size_t connections_left = 0;
  std::uint64_t messages_left = 0;
  std::vector<DeadLetter> dead_letters;
  std::vector<Deferral> deferrals;
  /// Of the messages whose clients were told that they are taken.
  std::set<std::string> accepted_ids;
  /// Those that the administrator wanted to be tried again, who was not told that they are: a crash
  /// may make dead letters of them again.
  std::set<std::string> taken_up_in_doubt;
  std::uint64_t leases_left = 0;
  std::uint64_t records_damaged = 0;
  std::vector<std::string> oddities;  ///< what should not happen anywhere: broken replies
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;

  /// By the address of a recipient or the reverse path; null: nobody sent such a mail.
  [[nodiscard]] const Mail* mail_of(const std::string& address) const {
    const auto token = tokens.find(address);
    if (token == tokens.end()) return nullptr;
    const auto mail = mails.find(token->second);
    return mail == mails.end() ? nullptr : &mail->second;
  }
  std::map<std::string, std::string> tokens;  ///< by address

  [[nodiscard]] bool is_dead_letter(const Mail& mail, const std::string& recipient) const {
    return std::ranges::any_of(dead_letters, [&](const DeadLetter& letter) {
      return letter.recipient == recipient && letter.token == mail.token;
    });
  }
  /// Whether a report that says `action` of the recipient lies there, since it failed itself.
  [[nodiscard]] bool report_is_dead_letter(const Mail& mail, const std::string& recipient,
                                           std::string_view action) const {
    return std::ranges::any_of(dead_letters, [&](const DeadLetter& letter) {
      return letter.recipient == mail.reverse_path &&
             std::ranges::any_of(letter.reported, [&](const ReportedRecipient& said) {
               return said.final_recipient == recipient && said.action == action;
             });
    });
  }
};

}  // namespace postern::sim
