#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "io/world.h"
#include "mail/address.h"
#include "policy/probed_recipients.h"
#include "policy/recipient_list.h"

namespace postern::policy {

/// Who says which recipients a domain has.
enum class RecipientSource : std::uint8_t {
  any,    ///< nobody: every address is taken, and an unknown one becomes a report of ours
  list,   ///< a static list
  probe,  ///< the domain's next hop, which is asked
};
/// "any", "list", "probe", as configuration and log write them.
std::string_view source_name(RecipientSource source);

/// What is known of a recipient.
enum class RecipientState : std::uint8_t {
  unchecked,  ///< the domain has no source, or the recipient is a postmaster
  known,
  unknown,
  undecided,  ///< the source could not tell
};
/// "unchecked", "known", "unknown", "undecided".
std::string_view state_name(RecipientState state);

enum class WhenUnknown : std::uint8_t { reply_550, reply_450 };
enum class WhenUndecided : std::uint8_t { reply_450, accept };

/// How the recipients of one domain are known.
struct RecipientRule {
  std::string domain;  ///< "example.com"; ".example.com": every name below it, not itself
  RecipientSource source = RecipientSource::any;
  RecipientList list;     ///< of `list`
  std::string list_name;  ///< for the log: the file's name
  std::string delimiter;  ///< "+": "bob+news" is in the list when "bob" is; empty: only as written
  WhenUnknown when_unknown = WhenUnknown::reply_550;
  WhenUndecided when_undecided = WhenUndecided::reply_450;  ///< of `probe`
};

/// What `recipients` in the configuration sets.
struct RecipientOptions {
  /// Of two for the same domain the first counts; a domain without one is `any`.
  std::vector<RecipientRule> rules;
  ProbeOptions probe;
};

/// What was decided about one recipient.
struct RecipientVerdict {
  RecipientState state = RecipientState::unchecked;
  RecipientSource source = RecipientSource::any;
  std::string cause;       ///< for the log: what the source said
  bool timed_out = false;  ///< undecided: whoever is asked takes long to answer
  /// The refusal, without CRLF: "550 5.1.1 ..."; empty: the recipient is taken.
  std::string reply;
};

/// Whether a recipient exists, asked at RCPT, so that the client's server reports what Postern
/// would otherwise have to report itself to a sender who may be forged (backscatter). One for each
/// shard.
class RecipientCheck {
 public:
  /// `probe` outlives it; nullptr when no rule asks for one.
  RecipientCheck(const io::World& world, RecipientProbe* probe, RecipientOptions options);
  ~RecipientCheck();
  RecipientCheck(const RecipientCheck&) = delete;
  RecipientCheck& operator=(const RecipientCheck&) = delete;

  /// About a mailbox of a domain that we relay for, for a client that nothing else refuses. Waits
  /// for ProbeOptions::timeout at the longest, with Patience::none not at all.
  io::Task<RecipientVerdict> check(mail::Mailbox recipient, Patience patience);
  /// Options for checks that begin from now on (reload). Forgets which recipients a next hop
  /// refused.
  void set_options(RecipientOptions options);
  /// Ends what is under way. Before destruction; see ProbedRecipients::stop().
  io::Task<> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// RFC 5321 section 4.5.3.1.5: the replies for a refusal, at most 510 octets without CRLF, printable
// ASCII.

/// Not in a list.
std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action);
/// Refused by the next hop, whose answer this is.
std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action,
                          const ProbeAnswer& answer);
/// Nobody can tell now.
std::string undecided_reply(const mail::Mailbox& recipient);

}  // namespace postern::policy
