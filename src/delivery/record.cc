#include "delivery/record.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "dsn/rules.h"

namespace postern::delivery {
namespace {

using queue::RecipientState;
using smtp::ClientVerdict;

WallTime gives_up_at(WallTime lifetime_from, bool null_reverse_path, const Limits& limits) {
  return lifetime_from + (null_reverse_path ? limits.report_lifetime : limits.lifetime);
}

/// Marks a report to the postmaster for ever: no other follows it.
constexpr std::string_view double_bounce_protocol = "double-bounce";

std::string postmaster_of(const DeliveryOptions& options) {
  return options.postmaster.empty() ? "postmaster@" + options.hostname : options.postmaster;
}

dsn::RecipientResult result_for(const queue::QueuedRecipient& queued, const Outcome& outcome,
                                WallTime now) {
  dsn::RecipientResult result;
  result.final_recipient = queued.recipient.address;
  result.original_recipient = queued.recipient.original_recipient;
  result.status = outcome.status;
  result.remote_name = outcome.remote_name;
  (outcome.from_peer ? result.remote_reply : result.explanation) = outcome.reply;
  result.last_attempt = now;
  return result;
}

// The distant future when notices of delay are off.
WallTime delay_told_at(WallTime lifetime_from, const Limits& limits) {
  return limits.delay_notice == Duration::zero() ? WallTime::max()
                                                 : lifetime_from + limits.delay_notice;
}

// When the sender is to hear that this recipient still waits; the distant future when it is not.
WallTime delay_told_at(const queue::QueuedMessage& message, const queue::QueuedRecipient& queued,
                       const Limits& limits) {
  const bool owed = !queued.delay_told && dsn::may_report(message.envelope.reverse_path) &&
                    dsn::wants_delay_report(queued.recipient.notify);
  return owed ? delay_told_at(message.lifetime_from, limits) : WallTime::max();
}

std::string_view event_name(RecipientState state) {
  switch (state) {
    case RecipientState::delivered:
      return "delivered";
    case RecipientState::waiting:
      return "deferred";
    case RecipientState::failed:
      return "bounced";
    case RecipientState::dead:
      return "dead-letter";
  }
  CHECK(false);
}

}  // namespace

WallTime owes_from(const queue::ShareFacts& share, const Limits& limits) {
  const WallTime end = gives_up_at(share.lifetime_from, share.null_reverse_path, limits);
  return share.delay_owed ? std::min(end, delay_told_at(share.lifetime_from, limits)) : end;
}

io::Task<> Recorder::record(queue::Lease lease, Attempted attempted) {
  CHECK(attempted.outcomes.size() == lease.recipients().size());
  std::vector<queue::RecipientOutcome> outcomes;
  std::vector<dsn::RecipientResult> results;
  for (std::size_t i = 0; i < attempted.outcomes.size(); ++i) {
    Outcome& outcome = attempted.outcomes[i];
    Decision decision = decide(lease, lease.recipients()[i], outcome, attempted.not_before);
    log(lease, decision, outcome);
    if (!attempted.not_before) count(lease.message(), decision.outcome.state);
    outcomes.push_back(std::move(decision.outcome));
    if (decision.report) results.push_back(*std::move(decision.report));
  }
  std::optional<queue::NewMessage> owed;
  if (!results.empty()) owed = co_await report(lease, std::move(results));
  const std::string id = lease.message().id.text();
  const std::string destination = lease.destination();
  const auto done =
      co_await around_.queue.complete(std::move(lease), std::move(outcomes), std::move(owed));
  if (!done)
    around_.log.line(
        Severity::error, "outcome-not-recorded",
        {{"id", id},
         {"destination", destination},
         {"error", done.error().what},
         {"do", "check the spool's disk; it is written down as soon as that is possible"}});
}

Recorder::Decision Recorder::decide(const queue::Lease& lease, std::uint32_t recipient,
                                    Outcome outcome, const std::optional<WallTime>& not_before) {
  const queue::QueuedMessage& message = lease.message();
  const queue::QueuedRecipient& queued = message.recipients[recipient];
  const WallTime now = around_.world.clock.wall_now();
  Decision decision;
  decision.outcome.recipient = recipient;
  decision.outcome.reply = outcome.reply;
  decision.outcome.remote = outcome.remote;
  decision.outcome.attempted = !not_before;
  const Limits limits = around_.limits_of(lease.destination());
  const WallTime end =
      gives_up_at(message.lifetime_from, message.envelope.reverse_path.empty(), limits);
  const WallTime told_at = delay_told_at(message, queued, limits);
  bool lifetime_over = false;
  if (outcome.verdict == ClientVerdict::temporary) {
    lifetime_over = !outcome.our_end && now >= end;
    const WallTime wanted = not_before.value_or(now + retry_delay(limits, queued.attempts));
    // RFC 5321 section 4.5.4.1: retried until the lifetime is over; the last attempt is at its end.
    decision.outcome.next_attempt =
        outcome.our_end ? now : std::min({wanted, end, now < told_at ? told_at : end});
    if (lifetime_over) outcome = expired(std::move(outcome));
  }
  decision.outcome.state = state_after(message, queued, outcome);
  auto action = action_told(message, queued, outcome, decision.outcome.state);
  // An attempt that we broke off ourselves says nothing; the next one is at once.
  if (decision.outcome.state == RecipientState::waiting && !outcome.our_end && now >= told_at)
    action = dsn::Action::delayed;
  if (!action) return decision;
  decision.outcome.delay_told = *action == dsn::Action::delayed;
  decision.report = result_for(queued, outcome, now);
  decision.report->action = *action;
  decision.report->lifetime_over = lifetime_over;
  if (decision.outcome.delay_told) decision.report->will_retry_until = end;
  if (not_before) decision.report->last_attempt = queued.last_attempt;
  return decision;
}

RecipientState Recorder::state_after(const queue::QueuedMessage& message,
                                     const queue::QueuedRecipient& queued,
                                     const Outcome& outcome) const {
  if (outcome.verdict == ClientVerdict::delivered) return RecipientState::delivered;
  if (outcome.verdict != ClientVerdict::permanent) return RecipientState::waiting;
  // RFC 5321 section 4.2.5: whoever took a message tells its sender of the failure, or keeps it.
  // What a NOTIFY says makes no difference where nobody could be told anyway.
  if (dsn::may_report(message.envelope.reverse_path) || tells_postmaster(message, queued))
    return RecipientState::failed;
  return RecipientState::dead;
}

// A failed report about a failed report ends here, whatever the postmaster's address is by then; so
// does what the postmaster's mailbox itself did not take.
bool Recorder::tells_postmaster(const queue::QueuedMessage& message,
                                const queue::QueuedRecipient& queued) const {
  return around_.options.double_bounce == DoubleBounce::postmaster &&
         message.provenance.protocol != double_bounce_protocol &&
         !equal_ignoring_case(queued.recipient.address, postmaster_of(around_.options));
}

std::optional<dsn::Action> Recorder::action_told(const queue::QueuedMessage& message,
                                                 const queue::QueuedRecipient& queued,
                                                 const Outcome& outcome,
                                                 RecipientState state) const {
  const auto& notify = queued.recipient.notify;
  const bool has_sender = dsn::may_report(message.envelope.reverse_path);
  // The postmaster's report is not one to the sender: NOTIFY does not speak of it.
  if (state == RecipientState::failed && (!has_sender || dsn::wants_failure_report(notify)))
    return dsn::Action::failed;
  // RFC 3461 section 5.2.2: whoever relays to a host without DSN tells of the success that the
  // sender asked to hear of; LMTP is the delivery itself.
  if (state == RecipientState::delivered && has_sender && dsn::wants_success_report(notify) &&
      !outcome.dsn_passed_on)
    return outcome.final_delivery ? dsn::Action::delivered : dsn::Action::relayed;
  return std::nullopt;
}

void Recorder::count(const queue::QueuedMessage& message, RecipientState state) {
  ++around_.metrics.outcomes[state];
  if (state == RecipientState::delivered)
    around_.metrics.delay.observe(around_.world.clock.wall_now() - message.provenance.arrived);
}

void Recorder::log(const queue::Lease& lease, const Decision& decision, const Outcome& outcome) {
  const queue::QueuedMessage& message = lease.message();
  const auto& recipient = message.recipients[decision.outcome.recipient].recipient;
  const std::string id = message.id.text();
  const std::string delay =
      format_duration(around_.world.clock.wall_now() - message.provenance.arrived);
  const RecipientState state = decision.outcome.state;
  const auto line = [&](Severity severity, auto... more) {
    around_.log.line(severity, event_name(state),
                     {{"id", id},
                      {"from", message.envelope.reverse_path},
                      {"recipient", recipient.address},
                      {"destination", lease.destination()},
                      {"remote", outcome.remote},
                      {"reply", outcome.reply},
                      {"delay", delay},
                      more...});
  };
  // RFC 5321 section 6.1: nobody may be told of it; the administrator is, who alone can mend it.
  if (state == RecipientState::dead) {
    const std::string advice = fmt::format(
        "nobody else may be told, so it is kept; when no other recipient waits any more: `postern "
        "queue dead show {}`",
        id);
    return line(Severity::warning, LogField("do", advice));
  }
  line(Severity::info);
  if (decision.outcome.delay_told)
    around_.log.line(Severity::info, "delay-told",
                     {{"id", id},
                      {"from", message.envelope.reverse_path},
                      {"recipient", recipient.address},
                      {"delay", delay},
                      {"until", format_iso8601(decision.report->will_retry_until)}});
  if (state != RecipientState::failed || dsn::may_report(message.envelope.reverse_path)) return;
  around_.log.line(Severity::warning, "double-bounce",
                   {{"id", id},
                    {"recipient", recipient.address},
                    {"to", postmaster_of(around_.options)},
                    {"do", "nothing: the postmaster gets a report of it"}});
}

io::Task<queue::NewMessage> Recorder::report(const queue::Lease& lease,
                                             std::vector<dsn::RecipientResult> results) {
  const queue::QueuedMessage& message = lease.message();
  const DeliveryOptions& options = around_.options;
  const std::string content = co_await beginning(lease, options.report_content_bytes_max);
  dsn::Report facts;
  facts.reporting_mta = options.hostname;
  facts.postmaster = options.postmaster;
  if (!dsn::may_report(message.envelope.reverse_path)) facts.audience = dsn::Audience::postmaster;
  facts.to = facts.audience == dsn::Audience::sender ? message.envelope.reverse_path
                                                     : postmaster_of(options);
  facts.unique = fmt::format("{:016x}", around_.world.entropy.next_u64());
  facts.now = around_.world.clock.wall_now();
  facts.arrived = message.provenance.arrived;
  facts.received_from = message.provenance.helo;
  facts.received_address = message.provenance.client.text();
  facts.envelope_id = message.envelope.envelope_id;
  facts.queue_id = message.id.text();
  facts.dsn_return = message.envelope.dsn_return;
  facts.smtputf8 = message.envelope.smtputf8;
  facts.wordings = options.report_wordings;
  ++(facts.audience == dsn::Audience::sender ? around_.metrics.reports[results.front().action]
                                             : around_.metrics.reports_to_postmaster);
  facts.recipients = std::move(results);
  facts.content = content;
  facts.content_complete = content.size() == message.content_bytes;
  dsn::ComposedReport composed =
      dsn::compose(facts, {.content_bytes_max = options.report_content_bytes_max});

  queue::NewMessage report;
  // RFC 5321 section 3.6.3: a report has the null reverse path.
  mail::Recipient reader;
  reader.address = facts.to;
  report.envelope.recipients.push_back(std::move(reader));
  report.envelope.body = composed.body;
  report.envelope.smtputf8 = composed.smtputf8;
  report.provenance.helo = options.hostname;
  report.provenance.protocol =
      facts.audience == dsn::Audience::sender ? "report" : double_bounce_protocol;
  report.provenance.arrived = facts.now;
  report.content = std::move(composed.content);
  co_return report;
}

// At most `bytes_max` of the content. What cannot be read is left out: a report without the
// original is better than none.
io::Task<std::string> Recorder::beginning(const queue::Lease& lease, std::uint64_t bytes_max) {
  std::string bytes;
  const auto content = co_await around_.queue.content(lease);
  if (!content) co_return bytes;
  while (bytes.size() < bytes_max) {
    const auto piece = co_await (*content)->next_chunk();
    if (!piece || piece->empty()) break;
    bytes += piece->substr(0, bytes_max - bytes.size());
  }
  co_return bytes;
}

}  // namespace postern::delivery
