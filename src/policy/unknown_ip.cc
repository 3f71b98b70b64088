#include "policy/unknown_ip.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/networks.h"
#include "io/notify.h"
#include "io/task_group.h"
#include "policy/result_cache.h"

namespace postern::policy {
namespace {

/// How much later than its deadline a check is given up for: the resolver's own answer at the
/// deadline tells more.
constexpr Duration deadline_grace = std::chrono::milliseconds(100);
/// Forward lookups under way, of all checks together.
constexpr std::size_t lookups_max = 65'536;
/// Without 0, 1, I and O, so that a case id survives being read out.
constexpr std::string_view case_alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
constexpr std::size_t case_id_length = 6;

/// Unguessable, so that nobody can ask about the cases of others by counting.
std::string make_case_id(io::Entropy& entropy) {
  static_assert(case_alphabet.size() == 32);
  std::uint64_t bits = entropy.next_u64();
  std::string id;
  for (std::size_t i = 0; i < case_id_length; ++i, bits >>= 5) id += case_alphabet[bits & 31];
  return id;
}

Action action_for(UnknownIpState state, const UnknownIpOptions& options) {
  switch (state) {
    case UnknownIpState::pass:
    case UnknownIpState::skipped:
      return Action::accept;
    case UnknownIpState::no_ptr:
      return options.no_ptr;
    case UnknownIpState::bad_name:
      return options.bad_name;
    case UnknownIpState::no_forward:
      return options.no_forward;
    case UnknownIpState::mismatch:
      return options.mismatch;
    case UnknownIpState::temp_error:
      return options.temp_error;
  }
  return Action::accept;
}

UnknownIpOptions clamped(UnknownIpOptions options) {
  if (options.temp_error == Action::reply_550) options.temp_error = Action::reply_451;
  return options;
}

/// What a check comes to that could not be made.
std::shared_ptr<const auth::Iprev> undetermined(const IpAddress& client) {
  auto iprev = std::make_shared<auth::Iprev>();
  iprev->address = client;
  iprev->result = auth::IprevResult::temperror;
  return iprev;
}

/// The lookups of one address, shared by all clients that wait for them.
struct Lookup {
  Lookup(io::Clock& clock, const IpAddress& address, io::Deadline until)
      : client(address), deadline(until), ended(clock) {}

  IpAddress client;
  io::Deadline deadline;
  /// State and lookups; action and enforcement as the options were at the end. nullptr before it.
  std::shared_ptr<const UnknownIpVerdict> result;
  io::Notify ended;
};

/// What clients' checks need after the UnknownIpCheck is gone, too.
struct Common {
  Common(const io::World& world, const BreakerOptions& breaker_options)
      : clock(world.clock), entropy(world.entropy), breaker(world.clock, breaker_options) {}

  io::Clock& clock;
  io::Entropy& entropy;
  /// Which count: what is only observed foretells what would become permanent, and makes nothing
  /// so.
  Escalation& escalation(const UnknownIpVerdict& verdict) {
    return verdict.enforced ? enforced_escalation : observed_escalation;
  }

  BreakerWatch breaker;
  Escalation enforced_escalation{UnknownIpCheck::escalation_clients_max};
  Escalation observed_escalation{UnknownIpCheck::escalation_clients_max};
};

/// A connection. Who asks for its verdict has a mail transaction: the breaker hears of the first.
struct Arrival {
  void tell(BreakerWatch& breaker) {
    if (!std::exchange(told, true)) breaker.transaction(client, own);
  }
  IpAddress client;
  IpAddress own;
  bool told = false;
};

/// Where a client's verdict comes from: a result that is there, or lookups under way.
struct Source {
  std::shared_ptr<const UnknownIpVerdict> result;
  std::shared_ptr<Lookup> lookup;
};

/// How much a client's check decides.
struct Reach {
  AnswerAt answer_at = AnswerAt::rcpt;
  bool binding = true;  ///< false: it is told at most
};

class Pending final : public PendingCheck {
 public:
  Pending(Source source, std::shared_ptr<const UnknownIpOptions> options, const Reach& reach,
          std::shared_ptr<Common> common, const Arrival& arrival)
      : source_(std::move(source)),
        options_(std::move(options)),
        reach_(reach),
        common_(std::move(common)),
        arrival_(arrival) {}

  io::Task<const UnknownIpVerdict*> verdict() override {
    arrival_.tell(common_->breaker);
    if (const UnknownIpVerdict* decided = ready()) co_return decided;
    // The lookups end by themselves; the wait's own deadline only guards against a resolver that
    // does not keep its promise.
    const auto given_up = io::Deadline::at(source_.lookup->deadline.time() + deadline_grace);
    while (!source_.lookup->result && co_await source_.lookup->ended.wait(given_up)) {
    }
    co_return ready_or_given_up();
  }

  const UnknownIpVerdict* ready() const override {
    return source_.result || source_.lookup->result ? ready_or_given_up() : nullptr;
  }

  AnswerAt answer_at() const override { return enforced() ? reach_.answer_at : AnswerAt::rcpt; }

  std::optional<OverrideDecision> override_for(AnswerAt step, std::string_view sender_domain,
                                               std::string_view recipient_domain) const override {
    const UnknownIpVerdict* verdict = ready();
    if (verdict == nullptr || options_->overrides.empty()) return std::nullopt;
    // What is only observed has to foretell what enforce would do, which knows less at times.
    const AnswerAt known_at = verdict->enforced ? step : std::min(step, reach_.answer_at);
    const Overrides::Found found = options_->overrides.find(
        {.iprev = *verdict->iprev,
         .sender_domain = known_at >= AnswerAt::mail ? sender_domain : std::string_view(),
         .recipient_domain = known_at == AnswerAt::rcpt ? recipient_domain : std::string_view(),
         .now = common_->clock.wall_now()});
    return found.rule == nullptr ? std::nullopt : std::optional(decision_by(found, *verdict));
  }

  void note_refusal() override {
    const UnknownIpVerdict* verdict = ready();
    // What a broken resolver says for hours is no evidence.
    if (verdict == nullptr || common_->breaker.open()) return;
    common_->escalation(*verdict).note(verdict->iprev->address, verdict->state, *verdict->iprev,
                                       common_->clock.now());
  }

 private:
  [[nodiscard]] bool enforced() const {
    return reach_.binding && options_->mode == UnknownIpMode::enforce && !common_->breaker.open();
  }

  [[nodiscard]] OverrideDecision decision_by(const Overrides::Found& found,
                                             const UnknownIpVerdict& verdict) const {
    OverrideDecision decision;
    decision.name = found.rule->name();
    decision.action = found.rule->action;
    // A name that was confirmed before is no certain evidence either.
    const bool is_uncertain =
        verdict.state == UnknownIpState::temp_error || verdict.stale || found.is_uncertain;
    if (is_uncertain && decision.action == Action::reply_550) decision.action = Action::reply_451;
    if (!is_reply(decision.action)) return decision;
    decision.case_id = make_case_id(common_->entropy);
    decision.reply = refusal_reply(verdict.state, *verdict.iprev, decision.action,
                                   options_->reply_style, decision.case_id);
    return decision;
  }

  const UnknownIpVerdict* ready_or_given_up() const {
    if (own_) return own_.get();
    if (!source_.result) source_.result = source_.lookup->result;
    const UnknownIpVerdict* shared = source_.result.get();
    const UnknownIpState state = shared == nullptr ? UnknownIpState::temp_error : shared->state;
    const Action action = action_for(state, *options_);
    if (shared != nullptr && !is_reply(action) && shared->action == action &&
        shared->enforced == enforced())
      return shared;
    own_ = std::make_unique<UnknownIpVerdict>();
    if (shared != nullptr) *own_ = *shared;
    if (shared == nullptr) own_->iprev = undetermined(source_.lookup->client);
    own_->state = state;
    own_->action = action;
    own_->enforced = enforced();
    if (common_->breaker.open() && options_->mode == UnknownIpMode::enforce)
      own_->observed_because = "breaker open";
    if (is_reply(action)) refuse(*own_);
    return own_.get();
  }

  void refuse(UnknownIpVerdict& verdict) const {
    const auth::Iprev& iprev = *verdict.iprev;
    if (verdict.action != Action::reply_550 && !common_->breaker.open() &&
        common_->escalation(verdict).is_due(iprev.address, verdict.state, iprev,
                                            common_->clock.now(), options_->escalation)) {
      verdict.action = Action::reply_550;
      verdict.escalated = true;
    }
    verdict.case_id = make_case_id(common_->entropy);
    verdict.reply =
        refusal_reply(verdict.state, iprev, verdict.action, options_->reply_style, verdict.case_id);
  }

  mutable Source source_;
  std::shared_ptr<const UnknownIpOptions> options_;
  Reach reach_;
  std::shared_ptr<Common> common_;
  Arrival arrival_;
  /// Only where this client's verdict differs from its address's: it has a case id of its own.
  mutable std::unique_ptr<UnknownIpVerdict> own_;
};

/// A client that is not looked up; one object for all of them.
class Skipped final : public PendingCheck {
 public:
  explicit Skipped(std::string because) { verdict_.skipped_because = std::move(because); }
  io::Task<const UnknownIpVerdict*> verdict() override { co_return &verdict_; }
  const UnknownIpVerdict* ready() const override { return &verdict_; }
  AnswerAt answer_at() const override { return AnswerAt::rcpt; }

 private:
  UnknownIpVerdict verdict_;
};

/// One from inside that is not looked up: the breaker hears of it all the same, since it may be the
/// proxy that hides all clients.
class SkippedInside final : public PendingCheck {
 public:
  SkippedInside(std::shared_ptr<PendingCheck> skipped, std::shared_ptr<Common> common,
                const Arrival& arrival)
      : skipped_(std::move(skipped)), common_(std::move(common)), arrival_(arrival) {}
  io::Task<const UnknownIpVerdict*> verdict() override {
    arrival_.tell(common_->breaker);
    co_return skipped_->ready();
  }
  const UnknownIpVerdict* ready() const override { return skipped_->ready(); }
  AnswerAt answer_at() const override { return skipped_->answer_at(); }

 private:
  std::shared_ptr<PendingCheck> skipped_;
  std::shared_ptr<Common> common_;
  Arrival arrival_;
};

BreakerOptions breaker_options(const UnknownIpOptions& options) {
  BreakerOptions breaker = options.breaker;
  if (options.mode == UnknownIpMode::off) breaker.enabled = false;
  return breaker;
}

}  // namespace

std::optional<OverrideDecision> PendingCheck::override_for(AnswerAt, std::string_view,
                                                           std::string_view) const {
  return std::nullopt;
}

struct UnknownIpCheck::State {
  State(const io::World& world, dns::Resolver& resolver_used, UnknownIpOptions first)
      : clock(world.clock),
        common(std::make_shared<Common>(world, breaker_options(first))),
        resolver(resolver_used),
        options(std::make_shared<const UnknownIpOptions>(clamped(std::move(first)))),
        checks(world.executor, world.clock, checks_max),
        lookups(world.executor, world.clock, lookups_max) {}

  /// unknown-ip.md section 4: why this client is not looked up; nullptr when it is.
  std::shared_ptr<PendingCheck> skip(const IpAddress& client) const {
    if (options->mode == UnknownIpMode::off) return off;
    if (any_contains(options->known_hosts, client)) return known_host;
    if (any_contains(options->exempt_networks, client)) return exempt;
    if (options->check_private) return nullptr;
    if (client.is_loopback()) return loopback;
    if (client.is_link_local()) return link_local;
    return client.is_private() ? private_address : nullptr;
  }

  Source source_for(const IpAddress& client) {
    auto [verdict, refresh] = cache.find(client, clock.now());
    if (verdict) ++(verdict->stale ? metrics.stale : metrics.from_cache);
    if (verdict && !refresh) return {std::move(verdict), nullptr};
    const auto found = running.find(client);
    if (!verdict) ++(found != running.end() ? metrics.joined : metrics.looked_up);
    std::shared_ptr<Lookup> lookup = found != running.end() ? found->second : begin(client);
    if (verdict) return {std::move(verdict), nullptr};
    return {nullptr, std::move(lookup)};
  }

  std::shared_ptr<Lookup> begin(const IpAddress& client) {
    auto lookup = std::make_shared<Lookup>(clock, client, clock.in(options->deadline));
    if (stopped || !checks.spawn("unknown-IP check", run(*this, lookup))) {
      ++metrics.not_begun;
      finish(*lookup, undetermined(client));
    } else {
      running.emplace(client, lookup);
    }
    return lookup;
  }

  static io::Task<> run(State& state, std::shared_ptr<Lookup> lookup) {
    // What an override may turn on is waited for, so that it does not depend on who answers first.
    const auto awaited = [options = state.options](std::string_view name) {
      return options->overrides.depend_on(name);
    };
    auth::Iprev iprev = co_await auth::check_iprev({state.resolver, state.clock, state.lookups},
                                                   lookup->client, lookup->deadline, awaited);
    if (lookup->result) co_return;
    // What was known before tells nothing of how the resolver is now.
    if (!iprev.cached) state.common->breaker.lookup(iprev);
    state.running.erase(lookup->client);
    state.metrics.latency.observe(iprev.took);
    state.finish(*lookup, std::make_shared<const auth::Iprev>(std::move(iprev)));
  }

  /// The lookups of this address have ended; its clients resume.
  void finish(Lookup& lookup, std::shared_ptr<const auth::Iprev> iprev) {
    auto verdict = std::make_shared<UnknownIpVerdict>();
    verdict->state = classify(*iprev);
    ++metrics.ended[verdict->state];
    verdict->iprev = std::move(iprev);
    verdict->action = action_for(verdict->state, *options);
    verdict->enforced = options->mode == UnknownIpMode::enforce;
    const SteadyTime now = clock.now();
    // Refusals count when they are answered; what ends them counts when it is seen.
    if (verdict->state == UnknownIpState::pass)
      for (Escalation* count : {&common->enforced_escalation, &common->observed_escalation})
        count->note(lookup.client, verdict->state, *verdict->iprev, now);
    lookup.result = cache.put(lookup.client, std::move(verdict), now,
                              {.entries_max = options->cache_entries_max,
                               .positive_ttl_max = options->positive_ttl_max,
                               .negative_ttl_max = options->negative_ttl_max,
                               .undetermined_ttl = options->undetermined_ttl,
                               .stale_max = options->stale_max});
    lookup.ended.wake_all();
  }

  io::Clock& clock;
  std::shared_ptr<Common> common;
  dns::Resolver& resolver;
  std::shared_ptr<const UnknownIpOptions> options;
  bool stopped = false;
  io::TaskGroup checks;
  io::TaskGroup lookups;
  ResultCache cache;
  std::unordered_map<IpAddress, std::shared_ptr<Lookup>> running;
  UnknownIpMetrics metrics;

  std::shared_ptr<PendingCheck> off = std::make_shared<Skipped>("option off");
  std::shared_ptr<PendingCheck> known_host = std::make_shared<Skipped>("known host");
  std::shared_ptr<PendingCheck> exempt = std::make_shared<Skipped>("exempt network");
  std::shared_ptr<PendingCheck> loopback = std::make_shared<Skipped>("loopback address");
  std::shared_ptr<PendingCheck> link_local = std::make_shared<Skipped>("link-local address");
  std::shared_ptr<PendingCheck> private_address = std::make_shared<Skipped>("private address");
};

UnknownIpCheck::UnknownIpCheck(const io::World& world, dns::Resolver& resolver,
                               UnknownIpOptions options)
    : state_(std::make_shared<State>(world, resolver, std::move(options))) {}

UnknownIpCheck::~UnknownIpCheck() = default;

std::shared_ptr<PendingCheck> UnknownIpCheck::start(const IpAddress& client, const IpAddress& own) {
  const Arrival arrival{.client = client, .own = own};
  if (auto skipped = state_->skip(client)) {
    ++state_->metrics.skipped;
    if (skipped != state_->loopback && skipped != state_->link_local &&
        skipped != state_->private_address)
      return skipped;
    return std::make_shared<SkippedInside>(std::move(skipped), state_->common, arrival);
  }
  return std::make_shared<Pending>(state_->source_for(client), state_->options,
                                   Reach{.answer_at = state_->options->answer_at}, state_->common,
                                   arrival);
}

std::shared_ptr<PendingCheck> UnknownIpCheck::start_hop(const IpAddress& hop,
                                                        KnownHostsDecide decide) {
  if (auto skipped = state_->skip(hop)) {
    ++state_->metrics.skipped;
    return skipped;
  }
  return std::make_shared<Pending>(state_->source_for(hop), state_->options,
                                   Reach{.binding = decide == KnownHostsDecide::refuse},
                                   state_->common, Arrival{.client = hop, .own = {}});
}

std::shared_ptr<PendingCheck> UnknownIpCheck::skipped(std::string because) {
  return std::make_shared<Skipped>(std::move(because));
}

std::optional<KnownHostsDecide> UnknownIpCheck::known_host(const IpAddress& client) const {
  const UnknownIpOptions& options = *state_->options;
  const bool known =
      options.mode != UnknownIpMode::off && any_contains(options.known_hosts, client);
  return known ? std::optional(options.known_hosts_decide) : std::nullopt;
}

bool UnknownIpCheck::is_trusted_hop(const IpAddress& hop) const {
  const UnknownIpOptions& options = *state_->options;
  // A filter on the known host itself is on our side also where private addresses are checked.
  return any_contains(options.known_hosts, hop) || hop.is_loopback() ||
         (!options.check_private && (hop.is_link_local() || hop.is_private()));
}

void UnknownIpCheck::set_options(UnknownIpOptions options) {
  state_->options = std::make_shared<const UnknownIpOptions>(clamped(std::move(options)));
  state_->common->breaker.set_options(breaker_options(*state_->options));
}

BreakerWatch& UnknownIpCheck::breaker() {
  return state_->common->breaker;
}

const BreakerWatch& UnknownIpCheck::breaker() const {
  return state_->common->breaker;
}

io::Task<> UnknownIpCheck::stop() {
  state_->stopped = true;
  state_->cache.clear();
  const auto running = std::exchange(state_->running, {});
  for (const auto& [client, lookup] : running) state_->finish(*lookup, undetermined(client));
  co_await state_->checks.join();
  co_await state_->lookups.join();
}

std::size_t UnknownIpCheck::cached() const {
  return state_->cache.size();
}

std::size_t UnknownIpCheck::under_way() const {
  return state_->checks.size();
}

const UnknownIpMetrics& UnknownIpCheck::metrics() const {
  return state_->metrics;
}

std::shared_ptr<const auth::Iprev> no_lookups() {
  static const auto none = std::make_shared<const auth::Iprev>();
  return none;
}

UnknownIpState classify(const auth::Iprev& iprev) {
  if (iprev.result == auth::IprevResult::pass) return UnknownIpState::pass;
  if (iprev.result == auth::IprevResult::temperror) return UnknownIpState::temp_error;
  if (iprev.names.empty()) return UnknownIpState::no_ptr;
  if (std::ranges::none_of(iprev.names, &auth::IprevName::usable)) return UnknownIpState::bad_name;
  const bool has_address = std::ranges::any_of(
      iprev.names, [](const auth::IprevName& name) { return !name.addresses.empty(); });
  return has_address ? UnknownIpState::mismatch : UnknownIpState::no_forward;
}

std::string_view state_name(UnknownIpState state) {
  static constexpr std::array<std::string_view, 7> names{
      "pass", "no_ptr", "bad_name", "no_forward", "mismatch", "temperror", "skipped"};
  return names.at(static_cast<std::size_t>(state));
}

std::string_view action_name(Action action) {
  static constexpr std::array<std::string_view, 5> names{"accept", "tag", "450", "451", "550"};
  return names.at(static_cast<std::size_t>(action));
}

std::string_view answer_at_name(AnswerAt step) {
  static constexpr std::array<std::string_view, 4> names{"connect", "ehlo", "mail", "rcpt"};
  return names.at(static_cast<std::size_t>(step));
}

}  // namespace postern::policy
