#pragma once

#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "base/metrics.h"
#include "base/recent_top.h"
#include "policy/action.h"
#include "policy/unknown_ip.h"

namespace postern::session {

/// What became of a recipient that a client named.
enum class RecipientResult : std::uint8_t {
  accepted,
  relay_denied,
  unknown_ip,    ///< refused because of the client's address
  no_such_user,  ///< or nobody could tell
};

/// What became of a message that a client wanted to send.
enum class MessageResult : std::uint8_t {
  accepted,
  refused,  ///< for what it is: too large, a loop
  lost,     ///< the client went away
  failed,   ///< we could not take it
};

/// At which step of a session something was decided because of a client's address.
enum class DecidedAt : std::uint8_t {
  connect,
  ehlo,
  mail,
  rcpt,
  data,  ///< its end: of a known host's message, for the host before
};
/// "connect", "ehlo", "mail", "rcpt", "data".
std::string_view decided_at_name(DecidedAt step);
DecidedAt decided_at(policy::AnswerAt step);

/// First digit of a reply's code.
enum class ReplyClass : std::uint8_t {
  positive = 2,
  intermediate = 3,
  temporary = 4,
  permanent = 5
};

/// What an SmtpServer and its sessions have counted.
struct Metrics {
  using Decisions = ByEnum<policy::UnknownIpState, 7, ByEnum<policy::Action, 5>>;
  /// Why a client was refused something; the cause is a word of ours that lives for ever.
  struct Refusal {
    IpAddress client;
    std::string_view cause;
    bool operator==(const Refusal&) const = default;
  };

  /// What was decided because of a client's address, by the step, by what was found and by the
  /// action that goes with it: at RCPT and at the end of the data each recipient once, else each
  /// client or transaction.
  ByEnum<DecidedAt, 5, Decisions> enforced;
  ByEnum<DecidedAt, 5, Decisions> observed;  ///< the same when the action is only recorded
  Counter turned_away;  ///< connections that got 421 at once since there were too many
  ByEnum<RecipientResult, 4> recipients;
  ByEnum<MessageResult, 4> messages;
  Counter accepted_bytes;
  ByEnum<ReplyClass, 6> replies;
  Counter handshakes;
  Counter handshakes_failed;
  LatencyHistogram verdict_wait;  ///< how long RCPT waited for the check of the client's address
  RecentTop<Refusal> refused;
  RecentTop<std::string_view, 16> causes;

  void count_replies(std::string_view bytes);
  void count_refusal(const IpAddress& client, std::string_view cause, SteadyTime now) {
    refused.count({client, cause}, now);
    causes.count(cause, now);
  }
  void count_turned_away(const IpAddress& client, SteadyTime now) {
    ++turned_away;
    count_refusal(client, "busy", now);
  }
};

}  // namespace postern::session
