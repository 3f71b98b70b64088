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

/// Shares postponed before others get their turn, for so many times as long as that took: they keep
/// nineteen twentieths of the time, whatever waits for a dead destination.
constexpr std::size_t postponed_at_once_max = 1000;
constexpr int postpone_rest = 19;

/// How long a destination rests whose hosts have as many silent connections as they may.
constexpr Duration crowded_pause = std::chrono::seconds(10);

// A host that takes connections and then says nothing may stand in the MX lists of many
// destinations, each of which has connections of its own: it gets a quarter of all places.
std::size_t unanswered_max(const DeliveryOptions& options) {
  return std::max(Concurrency::initial, options.connections_max / 4);
}

}  // namespace

Unanswered::Unanswered(Surroundings& around, const Endpoint& at)
    : counts_(around.unanswered), at_(at) {
  ++(*counts_)[at_];
}

Unanswered::~Unanswered() {
  const auto at = counts_->find(at_);
  CHECK(at != counts_->end());
  if (--at->second == 0) counts_->erase(at);
}

io::Task<> Courier::run() {
  while (auto lease = co_await next_lease()) co_await serve(*std::move(lease));
  co_await drop_connection();
}

void Courier::close() {
  closed_ = true;
  if (connection_) connection_->close();
}

// --- what to do next

io::Task<std::optional<queue::Lease>> Courier::next_lease() {
  const auto idle_until = around_.world.clock.in(around_.options.idle_max);
  bool waited = false;
  while (!around_.stopping) {
    const Turn now = co_await turn();
    if (now == Turn::leave) break;
    if (now == Turn::again) {
      waited = true;
      continue;
    }
    auto lease = co_await around_.queue.lease(destination_.name);
    if (lease) {
      // The first of a burst: whoever comes next finds more, or ends at once.
      if (waited || !connection_) places_.call_help(destination_);
      co_return lease;
    }
    put_token_back();
    if (!connection_ || !connection_->usable() || places_.wanted()) break;
    waited = true;
    if (!co_await destination_.work.wait(idle_until)) break;
  }
  ++destination_.leaving;
  co_return std::nullopt;
}

void Courier::put_token_back() {
  if (std::exchange(has_token_, false)) destination_.rate.put_back();
}

io::Task<Courier::Turn> Courier::turn() {
  const SteadyTime now = around_.world.clock.now();
  const bool too_many = destination_.couriers - destination_.leaving > destination_.couriers_max();
  if (too_many || places_.wanted(destination_)) {
    destination_.more_work = true;
    co_return Turn::leave;
  }
  if (destination_.dead(now)) co_return co_await postpone() ? Turn::lease : Turn::leave;
  const bool connected = connection_ && connection_->usable();
  if (destination_.timer != 0 && !connected) co_return Turn::leave;
  has_token_ = destination_.rate.take(now);
  if (has_token_) co_return Turn::lease;
  const SteadyTime next = destination_.rate.next(now);
  if (connected && next - now <= around_.options.idle_max && !places_.wanted()) {
    ++destination_.paced;
    co_await around_.world.clock.sleep_until(next);
    --destination_.paced;
    co_return Turn::again;
  }
  places_.hold(destination_, next);
  co_return Turn::leave;
}

io::Task<bool> Courier::postpone() {
  io::Clock& clock = around_.world.clock;
  bool owed = false;
  std::size_t count = 0;
  while (!around_.stopping && destination_.dead(clock.now())) {
    const SteadyTime begun = clock.now();
    const WallTime now = clock.wall_now();
    const WallTime until = now + (destination_.dead_until() - begun);
    const auto step = around_.queue.postpone(
        destination_.name,
        [&](const queue::ShareFacts& share) -> std::optional<WallTime> {
          const WallTime owes = owes_from(share, destination_.limits);
          if (owes <= now) return std::nullopt;
          return std::min(owes, until);
        },
        postponed_at_once_max);
    count += step.postponed;
    owed = step.urgent;
    if (!step.more) break;
    co_await clock.sleep_for(postpone_rest * (clock.now() - begun));
  }
  if (count > 0) {
    const std::string messages = std::to_string(count);
    const std::string pause = format_duration(destination_.dead_until() - clock.now());
    around_.log.line(Severity::info, "postponed",
                     {{"destination", destination_.name},
                      {"messages", messages},
                      {"reply", destination_.failure().reply},
                      {"pause", pause}});
  }
  co_return owed || !destination_.dead(clock.now());
}

io::Task<> Courier::serve(queue::Lease lease) {
  Attempted attempted;
  attempted.outcomes.resize(lease.recipients().size());
  const SteadyTime now = around_.world.clock.now();
  if (destination_.dead(now)) {
    put_token_back();
    std::ranges::fill(attempted.outcomes, destination_.failure());
    attempted.not_before = around_.world.clock.wall_now() + (destination_.dead_until() - now);
  } else {
    co_await attempt(lease, attempted.outcomes);
    around_.metrics.attempt.observe(around_.world.clock.now() - now);
    // Nothing was tried, so that there is nothing to record: dropped, the lease is due again.
    if (crowded_ && !answered_ && !trouble_) {
      put_token_back();
      places_.hold(destination_, around_.world.clock.now() + crowded_pause);
      co_return;
    }
  }
  co_await Recorder(around_).record(std::move(lease), std::move(attempted));
}

// --- an attempt

io::Task<> Courier::attempt(const queue::Lease& lease, std::vector<Outcome>& outcomes) {
  Pending pending(outcomes.size());
  for (std::uint32_t i = 0; i < pending.size(); ++i) pending[i] = i;
  answered_ = crowded_ = false;
  trouble_.reset();
  const std::uint32_t epoch = destination_.begin();
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
  learn(epoch);
}

void Courier::learn(std::uint32_t epoch) {
  if (closed_) return;
  if (answered_) {
    destination_.answered();
    if (destination_.more_work) places_.call_help(destination_);
    return;
  }
  const SteadyTime now = around_.world.clock.now();
  if (!trouble_ || !destination_.failed(*trouble_, epoch, now)) return;
  const std::string pause = format_duration(destination_.dead_until() - now);
  around_.log.line(
      Severity::info, "destination-dead",
      {{"destination", destination_.name}, {"reply", trouble_->reply}, {"pause", pause}});
}

// Refused for good is an answer too.
void Courier::note(const Outcome& outcome) {
  if (outcome.our_end) return;
  if (outcome.verdict == ClientVerdict::permanent)
    answered_ = true;
  else if (!trouble_)
    trouble_ = outcome;
}

io::Task<std::optional<Outcome>> Courier::connect() {
  if (closed_) co_return shutting_down();
  if (connection_ && connection_->usable()) {
    if (connection_->messages() < destination_.limits.messages_per_connection_max)
      co_return std::nullopt;
    co_await drop_connection();
    looked_up_ = false;
  }
  connection_.reset();
  unanswered_.reset();
  if (!looked_up_) {
    Targets found = co_await around_.lookup.find(destination_.name);
    if (found.failure) {
      note(*found.failure);
      co_return std::move(found.failure);
    }
    targets_ = std::move(found.targets);
    next_target_ = 0;
    looked_up_ = true;
  }
  co_return co_await connect_to_next();
}

io::Task<std::optional<Outcome>> Courier::connect_to_next() {
  std::optional<Outcome> failure;
  for (; next_target_ < targets_.size() && !closed_; ++next_target_) {
    const Target& target = targets_[next_target_];
    const auto waiting = around_.unanswered->find(target.endpoint);
    if (waiting != around_.unanswered->end() &&
        waiting->second >= unanswered_max(around_.options)) {
      crowded_ = true;
      continue;
    }
    unanswered_.emplace(around_, target.endpoint);
    connection_ = std::make_unique<Connection>(around_, target);
    std::optional<Outcome> failed = co_await connection_->open();
    if (!failed) co_return std::nullopt;
    connection_.reset();
    unanswered_.reset();
    // RFC 7504 section 4: a host that never takes mail is final only when no other could.
    if (!failure || failure->verdict == ClientVerdict::permanent) failure = std::move(failed);
  }
  if (closed_) co_return shutting_down();
  if (!failure)
    co_return outcome_of_lookup(Persistence::temporary, "4.4.2",
                                "no other host of the destination is left to try");
  note(*failure);
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
  unanswered_.reset();
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
    if (result.by_end)
      note(outcome);
    else
      answered_ = true;
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
  unanswered_.reset();
}

}  // namespace postern::delivery
