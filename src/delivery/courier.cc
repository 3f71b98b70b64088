#include "delivery/courier.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace postern::delivery {
namespace {

using smtp::ClientVerdict;

// RFC 5321 section 4.5.3.1.10: a server that takes fewer recipients than we gave says 452 to the
// rest; they go in another transaction at once.
bool too_many(const smtp::ClientOutcome& result) {
  return result.verdict == ClientVerdict::temporary && result.stage == smtp::ClientStage::rcpt &&
         result.from_peer &&
         (result.reply.code == 552 ||
          (result.reply.code == 452 &&
           (!result.reply.enhanced || *result.reply.enhanced == smtp::EnhancedStatus{4, 5, 3})));
}

Outcome shutting_down() {
  Outcome outcome = outcome_of_lookup(Persistence::temporary, "4.3.2", "we are shutting down");
  outcome.our_end = true;
  return outcome;
}

}  // namespace

void Destination::failed(const Outcome& outcome, const DeliveryOptions& options, SteadyTime now) {
  // Several couriers meet the same failure: it counts once.
  if (dead(now)) return;
  failure = outcome;
  // A tenth less than the pause of the message that met it, so that this message is tried again
  // when it is due, however the two clocks drift.
  const Duration pause = retry_delay(options, failures);
  dead_until = now + pause - pause / 10;
  ++failures;
}

io::Task<> Courier::run() {
  while (auto lease = co_await next_lease()) co_await serve(*std::move(lease));
  co_await drop_connection();
}

void Courier::close() {
  closed_ = true;
  if (connection_) connection_->close();
}

io::Task<std::optional<queue::Lease>> Courier::next_lease() {
  const auto idle_until = around_.world.clock.in(around_.options.idle_max);
  for (bool waited = false; !around_.stopping; waited = true) {
    auto lease = co_await around_.queue.lease(destination_.name);
    if (lease) {
      // The first of a burst: whoever comes next finds more, or ends at once.
      if (waited || !connection_) on_lease_();
      co_return lease;
    }
    if (!connection_ || !connection_->usable()) break;
    if (!co_await destination_.work.wait(idle_until)) break;
  }
  co_return std::nullopt;
}

io::Task<> Courier::serve(queue::Lease lease) {
  Attempted attempted;
  attempted.outcomes.resize(lease.recipients().size());
  const SteadyTime now = around_.world.clock.now();
  if (destination_.dead(now)) {
    std::ranges::fill(attempted.outcomes, destination_.failure);
    attempted.not_before = around_.world.clock.wall_now() + (destination_.dead_until - now);
  } else {
    co_await attempt(lease, attempted.outcomes);
  }
  co_await Recorder(around_).record(std::move(lease), std::move(attempted));
}

io::Task<> Courier::attempt(const queue::Lease& lease, std::vector<Outcome>& outcomes) {
  Pending pending(outcomes.size());
  for (std::uint32_t i = 0; i < pending.size(); ++i) pending[i] = i;
  while (!pending.empty()) {
    if (auto failure = co_await connect()) {
      // A recipient that a host was asked about before keeps what that attempt said.
      for (const std::uint32_t i : pending)
        if (outcomes[i].verdict == ClientVerdict::undecided) outcomes[i] = *failure;
      break;
    }
    co_await transaction(lease, pending, outcomes);
  }
  // The next message begins again at the most preferred host, unless this connection still stands.
  looked_up_ = false;
}

io::Task<std::optional<Outcome>> Courier::connect() {
  if (closed_) co_return shutting_down();
  if (connection_ && connection_->usable()) {
    if (connection_->messages() < around_.options.messages_per_connection_max)
      co_return std::nullopt;
    co_await drop_connection();
    looked_up_ = false;
  }
  connection_.reset();
  if (!looked_up_) {
    Targets found = co_await around_.lookup.find(destination_.name);
    if (found.failure) co_return std::move(found.failure);
    targets_ = std::move(found.targets);
    next_target_ = 0;
    looked_up_ = true;
  }
  co_return co_await connect_to_next();
}

io::Task<std::optional<Outcome>> Courier::connect_to_next() {
  std::optional<Outcome> failure;
  const bool all_tried = next_target_ == 0;
  while (next_target_ < targets_.size() && !closed_) {
    connection_ = std::make_unique<Connection>(around_, targets_[next_target_]);
    std::optional<Outcome> failed = co_await connection_->open();
    if (!failed) {
      destination_.answered();
      co_return std::nullopt;
    }
    connection_.reset();
    ++next_target_;
    // RFC 7504 section 4: a host that never takes mail is final only when no other could.
    if (!failure || failure->verdict == ClientVerdict::permanent) failure = std::move(failed);
  }
  if (closed_) co_return shutting_down();
  if (!failure)
    co_return outcome_of_lookup(Persistence::temporary, "4.4.2",
                                "no other host of the destination is left to try");
  if (failure->verdict == ClientVerdict::temporary && all_tried)
    destination_.failed(*failure, around_.options, around_.world.clock.now());
  co_return failure;
}

io::Task<> Courier::transaction(const queue::Lease& lease, Pending& pending,
                                std::vector<Outcome>& outcomes) {
  auto content = co_await around_.queue.content(lease);
  if (!content) {
    around_.log.line(Severity::error, "content-unreadable",
                     {{"id", lease.message().id.text()},
                      {"error", content.error().what},
                      {"do", "check the spool's disk; the message stays queued"}});
    for (const std::uint32_t i : pending) outcomes[i] = outcome_of_queue(content.error());
    pending.clear();
    co_return;
  }
  const bool reused = connection_->messages() > 0;
  auto results = co_await connection_->deliver(message_for(lease, pending), **content);
  // A server may close an idle connection at any time; that it did is no failure.
  if (reused && !connection_->usable() && connection_->untouched() && !closed_) {
    looked_up_ = false;
    co_return;
  }
  take(std::move(results), pending, outcomes);
  if (connection_->usable()) co_return;
  if (reused)
    looked_up_ = false;
  else
    ++next_target_;
}

void Courier::take(std::vector<smtp::ClientOutcome> results, Pending& pending,
                   std::vector<Outcome>& outcomes) {
  const bool progress = std::ranges::any_of(
      results, [](const auto& r) { return r.verdict == ClientVerdict::delivered; });
  // A connection that served other messages may have reached the server's limit: a new one can do.
  const bool more_hosts = connection_->messages() > 1 || next_target_ + 1 < targets_.size();
  Pending rest;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const smtp::ClientOutcome& result = results[i];
    Outcome& outcome = outcomes[pending[i]];
    outcome = outcome_of(result, connection_->target());
    outcome.dsn_passed_on = connection_->passes_dsn_on();
    outcome.our_end = result.by_end && closed_;
    // RFC 5321 section 5.1: the next host is tried. Not once the dot was sent: the message may have
    // been taken, and an attempt later makes a double less likely than one now.
    const bool other_host = result.by_end && !closed_ &&
                            result.stage != smtp::ClientStage::content &&
                            result.stage != smtp::ClientStage::final && more_hosts;
    if (other_host || (progress && too_many(result))) rest.push_back(pending[i]);
  }
  rest.insert(rest.end(), pending.begin() + static_cast<std::ptrdiff_t>(results.size()),
              pending.end());
  pending = std::move(rest);
}

smtp::ClientMessage Courier::message_for(const queue::Lease& lease, const Pending& pending) const {
  const queue::QueuedMessage& queued = lease.message();
  smtp::ClientMessage message;
  message.mail = {.reverse_path = queued.envelope.reverse_path,
                  .size_bytes = queued.content_bytes,
                  .body = queued.envelope.body,
                  .smtputf8 = queued.envelope.smtputf8,
                  .dsn_return = queued.envelope.dsn_return,
                  .envelope_id = queued.envelope.envelope_id};
  const std::size_t count = std::min(pending.size(), smtp::ClientMachine::recipients_max);
  message.recipients.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    message.recipients.push_back(&queued.recipients[lease.recipients()[pending[i]]].recipient);
  return message;
}

io::Task<> Courier::drop_connection() {
  if (!connection_) co_return;
  co_await connection_->quit();
  connection_.reset();
}

}  // namespace postern::delivery
