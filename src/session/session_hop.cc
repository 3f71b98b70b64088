// The host before a known host: looked for in the message's Received fields, checked, and by choice
// decided upon at the end of the data.

#include <algorithm>

#include "mail/address.h"
#include "mail/received.h"
#include "session/session.h"
#include "session/trace_header.h"

namespace postern::session {
namespace {

/// Content that waits for the check; beyond it the message has no field worth waiting for.
constexpr std::size_t held_bytes_max = 256 * 1024;

/// As overrides name domains; of the null reverse path, none.
std::string domain_of(std::string_view address) {
  const auto mailbox = mail::parse_mailbox(address);
  return mailbox ? mail::normalize_domain(mailbox->domain) : std::string();
}

}  // namespace

std::unique_ptr<Session::Hop> Session::look_for_hop() {
  const auto decide = ports_.unknown_ip.known_host(client_.address);
  if (!decide) return nullptr;
  // RFC 5321 section 4.4: a host prepends its field, so that a known host's own is on top. Mail may
  // have been here before it came to the known host.
  auto hop = std::make_unique<Hop>(
      [&check = ports_.unknown_ip, here = stream_->local().address](const IpAddress& address) {
        return address == here || check.is_trusted_hop(address);
      });
  hop->decide = *decide;
  return hop;
}

io::Task<> Session::hold_for_hop() {
  Hop& hop = *message_->hop;
  if (hop.settled) co_return;
  hop.held += std::exchange(message_->passed, std::string());
  if (hop.walk.state() == mail::HopWalk::State::walking && !message_->filter.in_body() &&
      hop.held.size() <= held_bytes_max)
    co_return;
  hop.settled = true;
  if (hop.walk.state() == mail::HopWalk::State::found) {
    hop.check = ports_.unknown_ip.start_hop(hop.walk.hop(), hop.decide);
    const SteadyTime began = world_.clock.now();
    hop.verdict = *co_await hop.check->verdict();
    hop.verdict_after = world_.clock.now() - began;
    decide_by_hop();
  }
  message_->passed = fields_of_hop();
  message_->passed += std::exchange(hop.held, std::string());
}

void Session::decide_by_hop() {
  Hop& hop = *message_->hop;
  policy::UnknownIpVerdict& verdict = *hop.verdict;
  for (const std::string& recipient : message_->recipient_addresses) {
    HopDecision& decision = hop.decisions.emplace_back();
    decision.recipient = recipient;
    decision.rule =
        hop.check->override_for(policy::AnswerAt::rcpt, domain_of(sender_), domain_of(recipient));
    const auto& rule = decision.rule;
    decision.action = rule ? rule->action : verdict.action;
    decision.case_id = rule ? rule->case_id : verdict.case_id;
    decision.reply = smtp::Reply::parse_line(rule ? rule->reply : verdict.reply);
  }
  // One reply is for all recipients: whoever may have the message keeps it from being refused.
  const auto accepts = [](const HopDecision& decision) { return !decision.reply; };
  const auto accepted = std::ranges::count_if(hop.decisions, accepts);
  if (accepted != 0 && accepted != std::ssize(hop.decisions)) verdict.enforced = false;
}

std::string Session::fields_of_hop() const {
  const Hop& hop = *message_->hop;
  const policy::UnknownIpVerdict* const verdict = hop.verdict ? &*hop.verdict : check_->ready();
  if (verdict == nullptr) return {};
  UnknownIpTag tag;
  for (const HopDecision& decision : hop.decisions) tag.take(decision.action, decision.case_id);
  std::string fields = compose_results(options_->smtp.hostname, *verdict);
  if (bears_field(options_->unknown_ip_header, *verdict, tag))
    fields += compose_unknown_ip_field(*verdict, tag);
  return fields;
}

void Session::log_hop() {
  const Hop& hop = *message_->hop;
  const bool found = hop.verdict.has_value();
  const bool unreadable = hop.walk.state() == mail::HopWalk::State::unreadable;
  ports_.log.line(Severity::info, "hop",
                  {{"client", client_.address.text()},
                   {"hop", found ? hop.walk.hop().text() : ""},
                   {"state", found        ? policy::state_name(hop.verdict->state)
                             : unreadable ? "unreadable"
                                          : "none"},
                   {"sender", sender_},
                   {"id", message_->queue_id}});
}

void Session::excuse_by_hop(const HopDecision& decision) {
  const Hop& hop = *message_->hop;
  const bool overridden = decision.rule && !hop.verdict->reply.empty();
  if (overridden || (!decision.rule && decision.action == policy::Action::tag))
    record_refusal(decision.recipient, *hop.verdict, decision.rule ? &*decision.rule : nullptr,
                   ledger::Effect::excused);
  if (overridden)
    log_excused(ports_.log, {.client = hop.walk.hop(),
                             .sender = sender_,
                             .recipient = decision.recipient,
                             .state = policy::state_name(hop.verdict->state),
                             .rule = decision.rule->name});
}

void Session::refuse_by_hop(const HopDecision& decision) {
  const Hop& hop = *message_->hop;
  const RecipientDecision told{
      .client = hop.walk.hop(),
      .helo = {},
      .protocol = mail::protocol_word(machine_.greeting() == smtp::Greeting::ehlo, machine_.tls()),
      .sender = sender_,
      .recipient = decision.recipient,
      .verdict = &*hop.verdict,
      .cause = policy::state_name(hop.verdict->state),
      .reply = *decision.reply,
      .case_id = decision.case_id,
      .rule = decision.rule ? std::string_view(decision.rule->name) : std::string_view(),
      .via = client_.address};
  const bool refused = hop.verdict->enforced;
  record_refusal(decision.recipient, *hop.verdict, decision.rule ? &*decision.rule : nullptr,
                 refused ? ledger::Effect::refused : ledger::Effect::would_refuse);
  if (!refused) return log_would_refuse(ports_.log, told);
  ++metrics_.recipients[RecipientResult::unknown_ip];
  metrics_.count_refusal(hop.walk.hop(), told.cause, world_.clock.now());
  log_refused(ports_.log, told);
  if (options_->postfix_rejects) log_postfix_reject(ports_.log, told);
}

std::optional<smtp::Reply> Session::refusal_of_hop() {
  log_hop();
  const Hop& hop = *message_->hop;
  std::optional<smtp::Reply> refusal;
  for (const HopDecision& decision : hop.decisions) {
    count_decision(DecidedAt::data, *hop.verdict, decision.action);
    if (!decision.reply) {
      excuse_by_hop(decision);
      continue;
    }
    refuse_by_hop(decision);
    // Temporary for one is temporary for all.
    if (hop.verdict->enforced &&
        (!refusal || (!refusal->is_temporary() && decision.reply->is_temporary())))
      refusal = decision.reply;
  }
  if (refusal) ++metrics_.messages[MessageResult::refused];
  // Of a message that only some of its recipients may not have nothing was answered.
  if (std::ranges::all_of(hop.decisions, [](const auto& one) { return one.reply.has_value(); }) &&
      std::ranges::any_of(hop.decisions, [](const auto& one) { return !one.rule; }))
    hop.check->note_refusal();
  return refusal;
}

}  // namespace postern::session
