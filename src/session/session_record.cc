// What a session tells the ledger.
#include "session/session.h"
#include "session/trace_header.h"

namespace postern::session {

void Session::note_verdict() {
  if (verdict_after_ == Duration::zero()) verdict_after_ = world_.clock.now() - began_;
}

void Session::record_refusal(std::string_view recipient, const policy::UnknownIpVerdict& verdict,
                             const policy::OverrideDecision* override, ledger::Effect effect) {
  if (ports_.recorder == nullptr) return;
  const bool by_override = override != nullptr && !override->reply.empty();
  std::string reply = by_override ? override->reply : verdict.reply;
  if (recipient.empty() && check_->answer_at() == policy::AnswerAt::connect && !reply.empty())
    reply = policy::greeting_refusal(reply);
  std::string rule = override != nullptr ? override->name : std::string();
  if (rule.empty() && effect == ledger::Effect::would_refuse) rule = "observe";
  ports_.recorder->refused(
      {.time = world_.clock.wall_now(),
       .case_id = by_override ? override->case_id : verdict.case_id,
       .client = client_.address,
       .helo = std::string(machine_.helo()),
       .sender = sender_,
       .recipient = std::string(recipient),
       .state = std::string(policy::state_name(verdict.state)),
       .action = std::string(policy::action_name(by_override ? override->action : verdict.action)),
       .effect = effect,
       .reply = std::move(reply),
       .rule = std::move(rule),
       .latency = verdict_after_,
       .lookups = verdict.iprev});
}

void Session::record_acceptance(const Message& message) {
  if (ports_.recorder == nullptr) return;
  for (const std::string& recipient : message.recipient_addresses)
    ports_.recorder->accepted({.time = world_.clock.wall_now(),
                               .client = client_.address,
                               .helo = std::string(machine_.helo()),
                               .confirmed_name = std::string(confirmed_name(check_->ready())),
                               .sender = message.sender,
                               .recipient = recipient});
}

}  // namespace postern::session
