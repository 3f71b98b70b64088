// What a session tells the ledger.
#include <algorithm>

#include "session/session.h"
#include "session/trace_header.h"

namespace postern::session {

void Session::note_verdict() {
  if (verdict_after_ == Duration::zero()) verdict_after_ = world_.clock.now() - began_;
}

// Of the host before a known host nobody tells how it greeted, nor of a name that a proxy gave.
upstream::Greeting Session::greeting_of(const Hop* hop) const {
  if (hop != nullptr || greeting_assumed_) return upstream::Greeting::unknown;
  switch (machine_.greeting()) {
    case smtp::Greeting::helo:
      return upstream::Greeting::helo;
    case smtp::Greeting::ehlo:
      return upstream::Greeting::ehlo;
    case smtp::Greeting::none:
      break;
  }
  return upstream::Greeting::unknown;
}

const Session::Hop* Session::hop_of(const policy::UnknownIpVerdict& verdict) const {
  const Hop* const hop = message_ ? message_->hop.get() : nullptr;
  return hop != nullptr && hop->verdict && &*hop->verdict == &verdict ? hop : nullptr;
}

std::string_view Session::why_observed(const policy::UnknownIpVerdict& verdict, const Hop* hop) {
  if (!verdict.observed_because.empty()) return verdict.observed_because;
  if (hop == nullptr) return "observe";
  if (hop->decide == policy::KnownHostsDecide::record) return "known host";
  // One reply is for all recipients.
  const bool all = std::ranges::all_of(
      hop->decisions, [](const HopDecision& one) { return one.reply.has_value(); });
  return all ? "observe" : "another recipient";
}

// Temporary for one is temporary for all, also for whom an override refuses for good.
std::string Session::answer_to(const Hop& hop, std::string own) {
  for (const HopDecision& decision : hop.decisions)
    if (decision.reply && decision.reply->is_temporary())
      return decision.rule ? decision.rule->reply : hop.verdict->reply;
  return own;
}

void Session::record_refusal(std::string_view recipient, const policy::UnknownIpVerdict& verdict,
                             const policy::OverrideDecision* override, ledger::Effect effect) {
  if (ports_.recorder == nullptr) return;
  const bool by_override = override != nullptr && !override->reply.empty();
  std::string reply = by_override ? override->reply : verdict.reply;
  if (recipient.empty() && check_->answer_at() == policy::AnswerAt::connect && !reply.empty())
    reply = policy::greeting_refusal(reply);
  const Hop* const hop = hop_of(verdict);
  if (hop != nullptr && effect == ledger::Effect::refused)
    reply = answer_to(*hop, std::move(reply));
  // Of a transaction before, when this one has not named it yet.
  const bool mail_known = !recipient.empty() || check_->answer_at() >= policy::AnswerAt::mail;
  ports_.recorder->refused(
      {.time = world_.clock.wall_now(),
       .case_id = by_override ? override->case_id : verdict.case_id,
       .client = hop != nullptr ? hop->walk.hop() : client_.address,
       .via = hop != nullptr ? client_.address : via_,
       .greeting = greeting_of(hop),
       .helo = hop != nullptr ? std::string() : std::string(machine_.helo()),
       .sender = mail_known ? sender_ : std::string(),
       .recipient = std::string(recipient),
       .message = mail_known ? message_number_ : 0,
       .state = std::string(policy::state_name(verdict.state)),
       .action = std::string(
           policy::action_name(override != nullptr ? override->action : verdict.action)),
       .effect = effect,
       .reply = std::move(reply),
       .override_name = override != nullptr ? override->name : std::string(),
       .observed_because =
           std::string(effect == ledger::Effect::would_refuse ? why_observed(verdict, hop) : ""),
       .escalated = override == nullptr && verdict.escalated,
       .latency = hop != nullptr ? hop->verdict_after : verdict_after_,
       .lookups = verdict.iprev});
}

void Session::record_acceptance(const Message& message) {
  if (ports_.recorder == nullptr) return;
  const Hop* const hop = message.hop && message.hop->verdict ? message.hop.get() : nullptr;
  const std::string name = confirmed_name(hop != nullptr ? &*hop->verdict : check_->ready());
  for (const std::string& recipient : message.recipient_addresses)
    ports_.recorder->accepted({.time = world_.clock.wall_now(),
                               .client = hop != nullptr ? hop->walk.hop() : client_.address,
                               .greeting = greeting_of(hop),
                               .helo = hop != nullptr ? std::string() : machine_.helo(),
                               .confirmed_name = name,
                               .sender = message.sender,
                               .recipient = recipient});
}

}  // namespace postern::session
