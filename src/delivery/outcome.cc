#include "delivery/outcome.h"

#include <fmt/format.h>
#include <utility>

#include "base/text.h"

namespace postern::delivery {
namespace {

using smtp::ClientVerdict;

char status_class(ClientVerdict verdict) {
  if (verdict == ClientVerdict::delivered) return '2';
  return verdict == ClientVerdict::permanent ? '5' : '4';
}

// A server's enhanced status counts only when its class is the reply's.
std::string status_of(const smtp::Reply& reply, ClientVerdict verdict) {
  const char wanted = status_class(verdict);
  if (reply.enhanced && reply.enhanced->status_class == wanted - '0') return reply.enhanced->text();
  return fmt::format("{}.0.0", wanted);
}

Outcome from_reply(const smtp::Reply& reply, ClientVerdict verdict, bool from_peer,
                   const Target& target) {
  Outcome outcome;
  outcome.verdict = verdict;
  outcome.status = status_of(reply, verdict);
  outcome.from_peer = from_peer;
  if (from_peer)
    outcome.reply = reply.text();
  else
    outcome.reply = reply.lines.empty() ? "no reason is known" : reply.lines.front();
  if (outcome.reply.size() > reply_bytes_max) outcome.reply.resize(reply_bytes_max);
  outcome.remote_name = target.name;
  outcome.remote = target.text();
  return outcome;
}

std::string_view words_of(Cause cause) {
  switch (cause) {
    case Cause::refused:
      return "connection refused or host unreachable";
    case Cause::timed_out:
      return "connection timed out";
    case Cause::closed:
      return "connection reset";
    case Cause::cancelled:
      return "we are shutting down";
    default:
      return "connection failed";
  }
}

}  // namespace

std::string Target::text() const {
  return fmt::format("{} [{}]:{}", name, endpoint.address.text(), endpoint.port);
}

Outcome outcome_of(const smtp::ClientOutcome& result, const Target& target) {
  Outcome outcome = from_reply(result.reply, result.verdict, result.from_peer, target);
  outcome.final_delivery = target.protocol == smtp::ClientProtocol::lmtp;
  return outcome;
}

Outcome outcome_of(const smtp::ClientEnd& end, const Target& target) {
  // RFC 7504 section 3: 521 in the greeting says that the host takes no mail at all. Any other
  // refusal of the session speaks of us or of now, not of the recipient: tried again.
  const bool never =
      end.from_peer && end.stage == smtp::ClientStage::greeting && end.reply.code == 521;
  const auto verdict = never ? ClientVerdict::permanent : ClientVerdict::temporary;
  Outcome outcome = from_reply(end.reply, verdict, end.from_peer, target);
  outcome.our_end = end.cause == Cause::cancelled;
  return outcome;
}

Outcome outcome_of(const Error& error, const Target& target) {
  Outcome outcome;
  outcome.verdict = ClientVerdict::temporary;
  // RFC 3463 section 3.5: 4.4.1 no answer from host.
  outcome.status = "4.4.1";
  outcome.reply = fmt::format("{}: {}", target.text(), words_of(error.cause));
  outcome.our_end = error.cause == Cause::cancelled;
  outcome.remote_name = target.name;
  outcome.remote = target.text();
  return outcome;
}

Outcome outcome_of_queue(const Error& error) {
  // Even damage is not the sender's fault and not final: the operator may restore the spool, and
  // until the lifetime is over the message is kept.
  Outcome outcome;
  outcome.verdict = ClientVerdict::temporary;
  outcome.status = "4.3.0";
  outcome.reply = "the message cannot be read from our queue";
  outcome.our_end = error.cause == Cause::cancelled;
  return outcome;
}

Outcome outcome_of_lookup(Persistence persistence, std::string status, const std::string& words) {
  Outcome outcome;
  outcome.verdict =
      persistence == Persistence::permanent ? ClientVerdict::permanent : ClientVerdict::temporary;
  outcome.status = std::move(status);
  outcome.reply = printable(words, reply_bytes_max);
  return outcome;
}

Outcome removed_by_administrator(std::string_view reason) {
  Outcome out;
  out.verdict = ClientVerdict::permanent;
  // RFC 3463 section 3.8: X.7.0, a matter of policy that no other detail code expresses. Not X.7.1,
  // which says that the sender is not authorized, nor X.3.2, which blames the next hop's system.
  out.status = "5.7.0";
  out.reply = "the administrator of this server removed the message from its queue";
  if (!reason.empty()) out.reply += ": " + printable(reason, reply_bytes_max / 2);
  return out;
}

Outcome expired(Outcome last) {
  last.verdict = ClientVerdict::permanent;
  // RFC 3463 section 3.5: X.4.7 delivery time expired.
  last.status = "4.4.7";
  return last;
}

}  // namespace postern::delivery
