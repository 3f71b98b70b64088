#include "mail/received.h"
#include "session/session.h"

/// Where a session refuses a client before it names a recipient, as `unknown_ip.answer_at` asks
/// for.
namespace postern::session {

using policy::AnswerAt;

io::Task<std::optional<smtp::Reply>> Session::refusal_at(AnswerAt step) {
  if (early_ && early_->step == step) early_.reset();
  if (check_->answer_at() != step) co_return std::nullopt;
  const policy::UnknownIpVerdict& verdict = *co_await check_->verdict();
  note_verdict();
  // What is only observed is recorded at RCPT, for each recipient.
  if (!verdict.enforced) co_return std::nullopt;
  const auto other = override_for(step, nullptr);
  const policy::Action action = other ? other->action : verdict.action;
  count_decision(decided_at(step), verdict, action);
  const std::string& text = other ? other->reply : verdict.reply;
  const policy::OverrideDecision* override = other ? &*other : nullptr;
  if (text.empty()) {
    if (other && !verdict.reply.empty()) {
      record_refusal({}, verdict, override, ledger::Effect::excused);
      log_excused(ports_.log, {.client = client_.address,
                               .sender = sender_,
                               .recipient = {},
                               .state = policy::state_name(verdict.state),
                               .rule = other->name,
                               .step = step});
    }
    early_ = {step, action};
    co_return std::nullopt;
  }
  const auto reply =
      smtp::Reply::parse_line(step == AnswerAt::connect ? policy::greeting_refusal(text) : text);
  if (!reply) co_return std::nullopt;
  const RecipientDecision decision{
      .client = client_.address,
      .helo = machine_.helo(),
      .protocol = mail::protocol_word(machine_.greeting() == smtp::Greeting::ehlo, machine_.tls()),
      .sender = sender_,
      .recipient = {},
      .verdict = &verdict,
      .cause = policy::state_name(verdict.state),
      .reply = *reply,
      .case_id = other ? other->case_id : verdict.case_id,
      .rule = other ? std::string_view(other->name) : std::string_view(),
      .step = step,
      .via = via_};
  if (!other) check_->note_refusal();
  record_refusal({}, verdict, override, ledger::Effect::refused);
  metrics_.count_refusal(client_.address, decision.cause, world_.clock.now());
  log_refused(ports_.log, decision);
  if (options_->postfix_rejects) log_postfix_reject(ports_.log, decision);
  co_return *reply;
}

io::Task<> Session::check_helo() {
  greeting_assumed_ = false;
  trust_speaker();
  const auto refusal = co_await refusal_at(AnswerAt::ehlo);
  // RFC 5321 section 4.3.2 lists no 4yz code for EHLO; a client reads one by its first digit
  // (section 4.2.1), and 450 is what the words behind it are known with.
  if (refusal)
    machine_.answer(*refusal);
  else
    machine_.accept();
}

io::Task<> Session::check_sender(Machine::CheckMail check) {
  trust_speaker();
  sender_ = check.envelope->reverse_path;
  if (ports_.recorder != nullptr) message_number_ = ports_.recorder->begin_message();
  patience_ = policy::Patience::wait;
  tag_ = {};
  const auto refusal = co_await refusal_at(AnswerAt::mail);
  if (refusal)
    machine_.answer(*refusal);
  else
    machine_.accept();
}

}  // namespace postern::session
