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

WallTime gives_up_at(const queue::QueuedMessage& message, const Limits& limits) {
  const bool is_report = message.envelope.reverse_path.empty();
  return message.lifetime_from + (is_report ? limits.report_lifetime : limits.lifetime);
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
  return share.lifetime_from + (share.null_reverse_path ? limits.report_lifetime : limits.lifetime);
}

io::Task<> Recorder::record(queue::Lease lease, Attempted attempted) {
  CHECK(attempted.outcomes.size() == lease.recipients().size());
  std::vector<queue::RecipientOutcome> outcomes;
  std::vector<dsn::RecipientResult> results;
  for (std::size_t i = 0; i < attempted.outcomes.size(); ++i) {
    Outcome& outcome = attempted.outcomes[i];
    Decision decision = decide(lease, lease.recipients()[i], outcome, attempted.not_before);
    log(lease, decision, outcome);
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
  bool lifetime_over = false;
  if (outcome.verdict == ClientVerdict::temporary) {
    const Limits limits = around_.limits_of(lease.destination());
    const WallTime end = gives_up_at(message, limits);
    lifetime_over = !outcome.our_end && now >= end;
    // RFC 5321 section 4.5.4.1: retried until the lifetime is over; the last attempt is at its end.
    const WallTime wanted =
        outcome.our_end ? now : not_before.value_or(now + retry_delay(limits, queued.attempts));
    decision.outcome.next_attempt = outcome.our_end ? now : std::min(wanted, end);
    if (lifetime_over) outcome = expired(std::move(outcome));
  }
  const bool failed = outcome.verdict == ClientVerdict::permanent;
  const bool delivered = outcome.verdict == ClientVerdict::delivered;
  decision.outcome.state = failed      ? RecipientState::failed
                           : delivered ? RecipientState::delivered
                                       : RecipientState::waiting;
  const auto& notify = queued.recipient.notify;
  // RFC 3461 section 5.2.2: whoever relays to a host without DSN tells of the success that the
  // sender asked to hear of; LMTP is the delivery itself.
  const bool tells_success =
      delivered && dsn::wants_success_report(notify) && !outcome.dsn_passed_on;
  if (!tells_success && !(failed && dsn::wants_failure_report(notify))) return decision;
  if (!dsn::may_report(message.envelope.reverse_path)) return decision;
  decision.report = result_for(queued, outcome, now);
  decision.report->lifetime_over = lifetime_over;
  if (delivered)
    decision.report->action =
        outcome.final_delivery ? dsn::Action::delivered : dsn::Action::relayed;
  return decision;
}

void Recorder::log(const queue::Lease& lease, const Decision& decision, const Outcome& outcome) {
  const queue::QueuedMessage& message = lease.message();
  const auto& recipient = message.recipients[decision.outcome.recipient].recipient;
  const std::string id = message.id.text();
  const std::string delay =
      format_duration(around_.world.clock.wall_now() - message.provenance.arrived);
  around_.log.line(Severity::info, event_name(decision.outcome.state),
                   {{"id", id},
                    {"from", message.envelope.reverse_path},
                    {"recipient", recipient.address},
                    {"destination", lease.destination()},
                    {"remote", outcome.remote},
                    {"reply", outcome.reply},
                    {"delay", delay}});
  const bool failed = decision.outcome.state == RecipientState::failed;
  if (!failed || decision.report || !message.envelope.reverse_path.empty()) return;
  // RFC 5321 section 6.1: nobody may be told; the operator is, since this mail is now gone.
  around_.log.line(Severity::error, "report-undeliverable",
                   {{"id", id},
                    {"recipient", recipient.address},
                    {"reply", outcome.reply},
                    {"do",
                     "the message had the null reverse path and is dropped: nobody else "
                     "hears of it"}});
}

io::Task<queue::NewMessage> Recorder::report(const queue::Lease& lease,
                                             std::vector<dsn::RecipientResult> results) {
  const queue::QueuedMessage& message = lease.message();
  const DeliveryOptions& options = around_.options;
  const std::string content = co_await beginning(lease, options.report_content_bytes_max);
  dsn::Report facts;
  facts.reporting_mta = options.hostname;
  facts.postmaster = options.postmaster;
  facts.to = message.envelope.reverse_path;
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
  facts.recipients = std::move(results);
  facts.content = content;
  facts.content_complete = content.size() == message.content_bytes;
  dsn::ComposedReport composed =
      dsn::compose(facts, {.content_bytes_max = options.report_content_bytes_max});

  queue::NewMessage report;
  // RFC 5321 section 3.6.3: a report has the null reverse path.
  mail::Recipient sender;
  sender.address = message.envelope.reverse_path;
  report.envelope.recipients.push_back(std::move(sender));
  report.envelope.body = composed.body;
  report.envelope.smtputf8 = composed.smtputf8;
  report.provenance.helo = options.hostname;
  report.provenance.protocol = "report";
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
