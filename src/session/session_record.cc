// What a session tells the ledger.
#include "session/session.h"
#include "session/trace_header.h"

namespace postern::session {

void Session::note_verdict() {
  if (verdict_after_ == Duration::zero()) verdict_after_ = world_.clock.now() - began_;
}

const Session::Hop* Session::hop_of(const policy::UnknownIpVerdict& verdict) const {
  const Hop* const hop = message_ ? message_->hop.get() : nullptr;
  return hop != nullptr && hop->verdict && &*hop->verdict == &verdict ? hop : nullptr;
}

void Session::record_refusal(std::string_view recipient, const policy::UnknownIpVerdict& verdict,
                             const policy::OverrideDecision* override, ledger::Effect effect) {
  if (ports_.recorder == nullptr) return;
  const bool by_override = override != nullptr && !override->reply.empty();
  std::string reply = by_override ? override->reply : verdict.reply;
  if (recipient.empty() && check_->answer_at() == policy::AnswerAt::connect && !reply.empty())
    reply = policy::greeting_refusal(reply);
  const Hop* const hop = hop_of(verdict);
  // Of a transaction before, when this one has not named it yet.
  const bool sender_known = !recipient.empty() || check_->answer_at() >= policy::AnswerAt::mail;
  std::string rule = override != nullptr ? override->name : std::string();
  if (rule.empty() && effect == ledger::Effect::would_refuse)
    rule = !verdict.observed_because.empty() ? verdict.observed_because
           : hop != nullptr                  ? "known host"
                                             : "observe";
  ports_.recorder->refused(
      {.time = world_.clock.wall_now(),
       .case_id = by_override ? override->case_id : verdict.case_id,
       .client = hop != nullptr ? hop->walk.hop() : client_.address,
       .helo = hop != nullptr ? std::string() : std::string(machine_.helo()),
       .sender = sender_known ? sender_ : std::string(),
       .recipient = std::string(recipient),
       .state = std::string(policy::state_name(verdict.state)),
       .action = std::string(policy::action_name(by_override ? override->action : verdict.action)),
       .effect = effect,
       .reply = std::move(reply),
       .rule = std::move(rule),
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
                               .helo = hop != nullptr ? std::string() : machine_.helo(),
                               .confirmed_name = name,
                               .sender = message.sender,
                               .recipient = recipient});
}

}  // namespace postern::session
