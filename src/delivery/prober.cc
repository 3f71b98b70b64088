#include "delivery/prober.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "delivery/connection.h"
#include "io/notify.h"

namespace postern::delivery {
namespace {

/// Failures remembered; beyond, those whose time has passed are forgotten.
constexpr std::size_t destinations_wanted = 1000;
/// A task still counts for a moment after its connection has ended.
constexpr std::size_t tasks_max = 1000;

ProbeResult undecided(const std::string& words) {
  return {ProbeVerdict::undecided, outcome_of_lookup(Persistence::temporary, "4.4.3", words)};
}

// As delivery's, but for the times: a client waits for the answer.
DeliveryOptions probe_options(DeliveryOptions options) {
  const ProberOptions& probes = options.probes;
  options.connect_timeout = std::min(options.connect_timeout, probes.connect_timeout);
  options.lookup_timeout = std::min(options.lookup_timeout, probes.lookup_timeout);
  // A host that takes the connection and says nothing leaves time for the next one.
  options.timeouts.greeting = std::min(options.timeouts.greeting, probes.duration_max / 3);
  options.timeouts.hello = std::min(options.timeouts.hello, probes.duration_max / 3);
  options.timeouts.quit = std::min(options.timeouts.quit, probes.duration_max / 3);
  return options;
}

}  // namespace

/// One recipient that is asked about; shared by who asks and by the asker.
struct Prober::Question {
  Question(io::Clock& clock, const mail::Mailbox& mailbox, Duration duration_max)
      : domain(mail::normalize_domain(mailbox.domain)),
        begun(clock.now()),
        deadline(clock.in(duration_max)),
        ended(clock) {
    recipient.address = mailbox.address();
  }
  void answer(ProbeResult answered) {
    if (done) return;
    result = std::move(answered);
    done = true;
    ended.wake_all();
  }

  mail::Recipient recipient;
  const std::string domain;
  const SteadyTime begun;
  const io::Deadline deadline;
  ProbeResult result;
  bool done = false;
  io::Notify ended;
};

/// What is asked of one destination, and how it failed.
struct Prober::Destination {
  Destination(std::string destination, io::Clock& clock)
      : name(std::move(destination)), work(clock) {}
  [[nodiscard]] bool paused(SteadyTime now) const { return now < paused_until; }

  const std::string name;
  std::deque<std::shared_ptr<Question>> waiting;
  io::Notify work;  ///< idle askers wait here
  std::size_t askers = 0;
  SteadyTime paused_until{};
  ProbeResult failure;  ///< the last, while it is paused
};

/// One connection after the other, of one task.
struct Prober::Asker {
  void close() {
    closed = true;
    if (connection) connection->close();
  }

  std::unique_ptr<Connection> connection;
  std::shared_ptr<Question> question;  ///< in hand
  bool closed = false;                 ///< the question's time is over, or we stop
};

Prober::Prober(const io::World& world, dns::Resolver& resolver, TlsClient* tls, Log& log,
               const DeliveryOptions& options)
    : reach_{world, tls, log, probe_options(options),
             MxLookup(resolver, world.clock, world.entropy,
                      lookup_options(probe_options(options)))},
      routes_(options.routes),
      tasks_(world.executor, world.clock, tasks_max) {}

Prober::~Prober() = default;

void Prober::set_options(const DeliveryOptions& options) {
  reach_.options = probe_options(options);
  reach_.lookup.set_options(lookup_options(reach_.options));
  routes_ = RouteTable(options.routes);
  for (auto& [name, destination] : destinations_) destination->paused_until = {};
}

void Prober::cease() {
  stopping_ = true;
  for (auto& [name, destination] : destinations_) {
    for (const auto& question : std::exchange(destination->waiting, {}))
      question->answer(undecided("we are shutting down"));
    destination->work.wake_all();
  }
  for (Asker* asker : askers_) {
    if (asker->question) asker->question->answer(undecided("we are shutting down"));
    asker->close();
  }
}

io::Task<> Prober::stop() {
  cease();
  co_await tasks_.join();
}

io::Task<ProbeResult> Prober::probe(mail::Mailbox recipient) {
  if (stopping_) co_return undecided("we are shutting down");
  io::Clock& clock = reach_.world.clock;
  const auto question =
      std::make_shared<Question>(clock, recipient, reach_.options.probes.duration_max);
  Destination& to = destination(routes_.destination_of(question->domain));
  if (to.paused(clock.now())) co_return to.failure;
  if (to.waiting.size() >= reach_.options.probes.waiting_max)
    co_return undecided("too many recipients of the destination are being asked about");
  to.waiting.push_back(question);
  if (!send_asker(to)) {
    to.waiting.pop_back();
    forget_if_idle(to);
    co_return undecided("too many destinations are being asked");
  }
  while (!question->done && co_await question->ended.wait(question->deadline)) {
  }
  // An asker that has it in hand notices by itself, and says so in the log.
  question->answer(undecided("no answer in time"));
  co_return question->result;
}

Prober::Destination& Prober::destination(const std::string& name) {
  const SteadyTime now = reach_.world.clock.now();
  if (destinations_.size() > destinations_wanted)
    std::erase_if(destinations_, [now](const auto& entry) {
      const Destination& old = *entry.second;
      return old.askers == 0 && old.waiting.empty() && !old.paused(now);
    });
  auto& place = destinations_[name];
  if (!place) place = std::make_unique<Destination>(name, reach_.world.clock);
  return *place;
}

// Whether somebody will ask what waits: wakes one that is idle, or starts one.
bool Prober::send_asker(Destination& destination) {
  if (destination.work.has_waiters()) {
    destination.work.wake_one();
    return true;
  }
  const ProberOptions& bounds = reach_.options.probes;
  if (destination.askers < bounds.connections_per_destination_max &&
      askers_begun_ < bounds.connections_max && tasks_.spawn("asker", run_asker(destination))) {
    ++destination.askers;
    ++askers_begun_;
  }
  return destination.askers > 0;
}

io::Task<> Prober::run_asker(Destination& destination) {
  Asker asker;
  askers_.insert(&asker);
  if (stopping_) asker.closed = true;
  while ((asker.question = co_await next_question(destination, asker)))
    co_await answer(destination, asker, *asker.question);
  if (asker.connection && !asker.closed) co_await asker.connection->quit();
  askers_.erase(&asker);
  --askers_begun_;
  --destination.askers;
  // What came while this one said goodbye.
  if (!stopping_ && !destination.waiting.empty() && !send_asker(destination))
    for (const auto& question : std::exchange(destination.waiting, {}))
      question->answer(undecided("too many destinations are being asked"));
  forget_if_idle(destination);
}

io::Task<std::shared_ptr<Prober::Question>> Prober::next_question(Destination& destination,
                                                                  const Asker& asker) {
  const auto idle_until = reach_.world.clock.in(reach_.options.idle_max);
  for (bool more = true; more;) {
    while (!destination.waiting.empty()) {
      auto question = std::move(destination.waiting.front());
      destination.waiting.pop_front();
      if (!question->done) co_return question;
    }
    const bool usable = asker.connection && asker.connection->usable();
    more = usable && !stopping_ && co_await destination.work.wait(idle_until);
  }
  co_return nullptr;
}

io::Task<> Prober::answer(Destination& destination, Asker& asker, Question& question) {
  io::Clock& clock = reach_.world.clock;
  const auto timer = clock.call_at(question.deadline.time(), [&asker] { asker.close(); });
  ProbeResult result = co_await ask(destination, asker, question);
  clock.cancel(timer);
  if (asker.closed && result.verdict == ProbeVerdict::undecided && !stopping_) {
    result = undecided("no answer in " + format_duration(reach_.options.probes.duration_max));
    failed(destination, result.outcome);
  }
  const bool destination_failed = destination.paused(clock.now());
  log(destination_failed ? Severity::warning : Severity::info, question, result);
  question.answer(std::move(result));
  if (stopping_ || !asker.closed) co_return;
  asker.connection.reset();
  asker.closed = false;
}

io::Task<ProbeResult> Prober::ask(Destination& destination, Asker& asker,
                                  const Question& question) {
  const std::string sender = reach_.options.probes.sender;  // the options may change meanwhile
  for (;;) {
    const bool reused = asker.connection && asker.connection->usable();
    if (auto failure = co_await connect(destination, asker)) {
      failed(destination, *failure);
      co_return ProbeResult{ProbeVerdict::undecided, *std::move(failure)};
    }
    Connection& connection = *asker.connection;
    const smtp::ClientOutcome outcome = co_await connection.ask(sender, question.recipient);
    // A server may close an idle connection at any time; that it did is no failure.
    if (reused && !connection.usable() && connection.untouched() && !asker.closed) continue;
    ProbeResult result{probe_verdict(outcome), outcome_of(outcome, connection.target())};
    // Who refuses the transaction as a whole would refuse the next one as well.
    if (outcome.stage != smtp::ClientStage::rcpt || outcome.by_end)
      failed(destination, result.outcome);
    else
      destination.paused_until = {};
    co_return result;
  }
}

io::Task<std::optional<Outcome>> Prober::connect(Destination& destination, Asker& asker) {
  if (asker.connection && asker.connection->usable()) {
    if (asker.connection->messages() < reach_.options.messages_per_connection_max)
      co_return std::nullopt;
    co_await asker.connection->quit();
  }
  asker.connection.reset();
  Targets found = co_await reach_.lookup.find(destination.name);
  if (found.failure) co_return std::move(found.failure);
  std::optional<Outcome> failure;
  for (const Target& target : found.targets) {
    if (asker.closed) break;
    asker.connection = std::make_unique<Connection>(reach_, target);
    std::optional<Outcome> failed_now = co_await asker.connection->open();
    if (!failed_now) co_return std::nullopt;
    if (!failure) failure = std::move(failed_now);
    asker.connection.reset();
  }
  if (!failure) failure = undecided("we are shutting down").outcome;
  co_return failure;
}

// Nothing more is asked of it for a moment, and who waits need not wait for the same.
void Prober::failed(Destination& destination, const Outcome& outcome) {
  if (stopping_) return;
  destination.paused_until = reach_.world.clock.now() + reach_.options.probes.pause;
  destination.failure = {ProbeVerdict::undecided, outcome};
  for (const auto& question : std::exchange(destination.waiting, {}))
    question->answer(destination.failure);
}

void Prober::forget_if_idle(Destination& destination) {
  const bool idle = destination.askers == 0 && destination.waiting.empty() &&
                    !destination.paused(reach_.world.clock.now());
  if (idle && !stopping_) destinations_.erase(std::string(destination.name));
}

void Prober::log(Severity severity, const Question& question, const ProbeResult& result) {
  if (result.outcome.our_end || stopping_) return;
  reach_.log.line(severity, "probe",
                  {{"domain", question.domain},
                   {"recipient", question.recipient.address},
                   {"verdict", verdict_name(result.verdict)},
                   {"remote", result.outcome.remote},
                   {"reply", result.outcome.reply},
                   {"delay", format_duration(reach_.world.clock.now() - question.begun)}});
}

}  // namespace postern::delivery
