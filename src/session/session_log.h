#pragma once

#include <optional>
#include <string_view>

#include "base/ip.h"
#include "base/log.h"
#include "policy/recipient_check.h"
#include "policy/unknown_ip.h"
#include "smtp/reply.h"

namespace postern::session {

/// What a decision about one recipient stands on; views that live during the call.
struct RecipientDecision {
  const IpAddress& client;
  std::string_view helo;
  std::string protocol;
  std::string_view sender;
  std::string_view recipient;
  const policy::UnknownIpVerdict* verdict = nullptr;  ///< nullptr: relay control decided
  std::string_view cause;                             ///< a state, or what relay control said
  const smtp::Reply& reply;                           ///< given, or what would have been given
  std::string_view case_id;
  std::string_view rule;  ///< the override that says so, or empty
  /// What comes later in the session is unknown: before `mail` the sender, before `rcpt` the
  /// recipient.
  policy::AnswerAt step = policy::AnswerAt::rcpt;
  /// Who handed the client's mail or connection on to us: a proxy, a known host; or nobody.
  std::optional<IpAddress> via;
};

/// `event=refused`, one line for each recipient.
void log_refused(Log& log, const RecipientDecision& decision);
/// `event=would_refuse`: observed only, the recipient was accepted.
void log_would_refuse(Log& log, const RecipientDecision& decision);
/// A recipient who is accepted although the client's state would have it refused.
struct Excuse {
  const IpAddress& client;
  std::string_view sender;
  std::string_view recipient;
  std::string_view state;
  std::string_view rule;
  policy::AnswerAt step = policy::AnswerAt::rcpt;
};
/// `event=excused`
void log_excused(Log& log, const Excuse& excuse);
/// `event=recipient_refused`: the recipient does not exist, or nobody could tell.
void log_recipient_refused(Log& log, const RecipientDecision& decision,
                           const policy::RecipientVerdict& verdict);
/// The client's state for a line of the log: "pass", "pass (stale)"; empty while it is not known.
std::string_view state_of(const policy::UnknownIpVerdict* verdict);
/// The same refusal as Postfix would write it, for the programs that read its log:
/// "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.7.25 ...; from=<> to=<> proto= helo=<>".
void log_postfix_reject(Log& log, const RecipientDecision& decision);
std::string postfix_reject(const RecipientDecision& decision);

}  // namespace postern::session
