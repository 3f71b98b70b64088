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
#include "policy/recipient_list.h"

namespace postern::policy {

/// Who says which recipients a domain has.
enum class RecipientSource : std::uint8_t {
  any,   ///< nobody: every address is taken, and an unknown one becomes a report of ours
  list,  ///< a static list
};
/// "any", "list", as configuration and log write them.
std::string_view source_name(RecipientSource source);

/// What is known of a recipient.
enum class RecipientState : std::uint8_t {
  unchecked,  ///< the domain has no source, or the recipient is a postmaster
  known,
  unknown,
};
/// "unchecked", "known", "unknown".
std::string_view state_name(RecipientState state);

enum class WhenUnknown : std::uint8_t { reply_550, reply_450 };

/// How the recipients of one domain are known.
struct RecipientRule {
  std::string domain;  ///< "example.com"; ".example.com": every name below it, not itself
  RecipientSource source = RecipientSource::any;
  RecipientList list;     ///< of `list`
  std::string list_name;  ///< for the log: the file's name
  std::string delimiter;  ///< "+": "bob+news" is in the list when "bob" is; empty: only as written
  WhenUnknown when_unknown = WhenUnknown::reply_550;
};

/// What `recipients` in the configuration sets.
struct RecipientOptions {
  /// Of two for the same domain the first counts; a domain without one is `any`.
  std::vector<RecipientRule> rules;
};

/// What was decided about one recipient.
struct RecipientVerdict {
  RecipientState state = RecipientState::unchecked;
  RecipientSource source = RecipientSource::any;
  std::string cause;  ///< for the log: what the source said
  /// The refusal, without CRLF: "550 5.1.1 ..."; empty: the recipient is taken.
  std::string reply;
};

/// Whether a recipient exists, asked at RCPT, so that the client's server reports what Postern
/// would otherwise have to report itself to a sender who may be forged (backscatter). One for each
/// shard.
class RecipientCheck {
 public:
  explicit RecipientCheck(RecipientOptions options);
  ~RecipientCheck();
  RecipientCheck(const RecipientCheck&) = delete;
  RecipientCheck& operator=(const RecipientCheck&) = delete;

  /// About a mailbox of a domain that we relay for, for a client that nothing else refuses.
  io::Task<RecipientVerdict> check(mail::Mailbox recipient);
  /// Options for checks that begin from now on (reload).
  void set_options(RecipientOptions options);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// RFC 5321 section 4.5.3.1.5: the reply for a refusal, at most 510 octets without CRLF, printable
/// ASCII.
std::string unknown_reply(const mail::Mailbox& recipient, WhenUnknown action);

}  // namespace postern::policy
