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
  }
  message_->passed = fields_of_hop();
  message_->passed += std::exchange(hop.held, std::string());
}

std::string Session::fields_of_hop() const {
  const auto& found = message_->hop->verdict;
  const policy::UnknownIpVerdict* const verdict = found ? &*found : check_->ready();
  if (verdict == nullptr) return {};
  UnknownIpTag tag;
  if (found) tag.take(found->action, found->enforced ? std::string_view() : found->case_id);
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

std::vector<Session::HopRefusal> Session::refusals_of_hop() {
  const Hop& hop = *message_->hop;
  std::vector<HopRefusal> refusals;
  for (const std::string& recipient : message_->recipient_addresses) {
    auto other =
        hop.check->override_for(policy::AnswerAt::rcpt, domain_of(sender_), domain_of(recipient));
    const auto reply = smtp::Reply::parse_line(other ? other->reply : hop.verdict->reply);
    if (reply) {
      refusals.push_back({recipient, *reply, std::move(other)});
      continue;
    }
    if (other ? !hop.verdict->reply.empty() : hop.verdict->action == policy::Action::tag)
      record_refusal(recipient, *hop.verdict, other ? &*other : nullptr, ledger::Effect::excused);
    if (other && !hop.verdict->reply.empty())
      log_excused(ports_.log, {.client = hop.walk.hop(),
                               .sender = sender_,
                               .recipient = recipient,
                               .state = policy::state_name(hop.verdict->state),
                               .rule = other->name});
  }
  return refusals;
}

std::optional<smtp::Reply> Session::refusal_of_hop() {
  log_hop();
  const Hop& hop = *message_->hop;
  if (!hop.verdict) return std::nullopt;
  const auto refusals = refusals_of_hop();
  if (refusals.empty()) return std::nullopt;
  // One reply is for all recipients: whoever may have the message keeps it from being refused.
  const bool refused =
      hop.verdict->enforced && refusals.size() == message_->recipient_addresses.size();
  if ((refused || !hop.verdict->enforced) &&
      std::ranges::any_of(refusals, [](const HopRefusal& refusal) { return !refusal.rule; }))
    hop.check->note_refusal();
  for (const HopRefusal& refusal : refusals) {
    const RecipientDecision decision{
        .client = hop.walk.hop(),
        .helo = {},
        .protocol =
            mail::protocol_word(machine_.greeting() == smtp::Greeting::ehlo, machine_.tls()),
        .sender = sender_,
        .recipient = refusal.recipient,
        .verdict = &*hop.verdict,
        .cause = policy::state_name(hop.verdict->state),
        .reply = refusal.reply,
        .case_id = refusal.rule ? refusal.rule->case_id : hop.verdict->case_id,
        .rule = refusal.rule ? std::string_view(refusal.rule->name) : std::string_view(),
        .via = client_.address};
    record_refusal(refusal.recipient, *hop.verdict, refusal.rule ? &*refusal.rule : nullptr,
                   refused ? ledger::Effect::refused : ledger::Effect::would_refuse);
    if (!refused) {
      log_would_refuse(ports_.log, decision);
      continue;
    }
    metrics_.count_refusal(hop.walk.hop(), decision.cause, world_.clock.now());
    log_refused(ports_.log, decision);
    if (options_->postfix_rejects) log_postfix_reject(ports_.log, decision);
  }
  if (!refused) return std::nullopt;
  ++metrics_.messages[MessageResult::refused];
  // Temporary for one is temporary for all.
  const auto mildest = std::ranges::min_element(
      refusals, {}, [](const HopRefusal& refusal) { return refusal.reply.code >= 500; });
  return mildest->reply;
}

}  // namespace postern::session
