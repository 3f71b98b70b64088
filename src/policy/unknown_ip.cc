#include "policy/unknown_ip.h"

#include <algorithm>
#include <array>
#include <list>
#include <unordered_map>

#include "base/check.h"
#include "io/notify.h"
#include "io/task_group.h"

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

/// What is known or being looked up about one address; shared by all its clients.
struct Entry {
  Entry(io::Clock& clock, const IpAddress& address, io::Deadline until)
      : client(address), deadline(until), ended(clock) {}

  IpAddress client;
  /// State and lookups; action and enforcement as the options were when the check ended.
  UnknownIpVerdict facts;
  bool done = false;
  io::Deadline deadline;
  SteadyTime expires;  ///< when done
  std::list<IpAddress>::iterator lru;
  bool in_lru = false;
  io::Notify ended;
};

class Pending final : public PendingCheck {
 public:
  Pending(std::shared_ptr<Entry> entry, std::shared_ptr<const UnknownIpOptions> options,
          io::Entropy& entropy)
      : entry_(std::move(entry)), options_(std::move(options)), entropy_(entropy) {}

  io::Task<const UnknownIpVerdict*> verdict() override {
    // The check ends by itself; the wait's own deadline only guards against a resolver that does
    // not keep its promise.
    const auto given_up = io::Deadline::at(entry_->deadline.time() + deadline_grace);
    while (!entry_->done && co_await entry_->ended.wait(given_up)) {
    }
    co_return ready_or_given_up();
  }

  const UnknownIpVerdict* ready() const override {
    return entry_->done ? ready_or_given_up() : nullptr;
  }

 private:
  const UnknownIpVerdict* ready_or_given_up() const {
    if (own_) return own_.get();
    const UnknownIpState state = entry_->done ? entry_->facts.state : UnknownIpState::temp_error;
    const Action action = action_for(state, *options_);
    const bool enforced = options_->mode == UnknownIpMode::enforce;
    const UnknownIpVerdict& shared = entry_->facts;
    if (entry_->done && !is_reply(action) && shared.action == action && shared.enforced == enforced)
      return &shared;
    own_ = std::make_unique<UnknownIpVerdict>();
    own_->state = state;
    own_->iprev = entry_->done ? shared.iprev : undetermined(entry_->client);
    own_->action = action;
    own_->enforced = enforced;
    if (!is_reply(action)) return own_.get();
    own_->case_id = make_case_id(entropy_);
    own_->reply = refusal_reply(state, *own_->iprev, action, options_->reply_style, own_->case_id);
    return own_.get();
  }

  std::shared_ptr<Entry> entry_;
  std::shared_ptr<const UnknownIpOptions> options_;
  io::Entropy& entropy_;
  /// Only where this client's verdict differs from its address's: it has a case id of its own.
  mutable std::unique_ptr<UnknownIpVerdict> own_;
};

/// A client that is not looked up; one object for all of them.
class Skipped final : public PendingCheck {
 public:
  explicit Skipped(std::string because) { verdict_.skipped_because = std::move(because); }
  io::Task<const UnknownIpVerdict*> verdict() override { co_return &verdict_; }
  const UnknownIpVerdict* ready() const override { return &verdict_; }

 private:
  UnknownIpVerdict verdict_;
};

}  // namespace

struct UnknownIpCheck::State {
  State(const io::World& world, dns::Resolver& resolver_used, UnknownIpOptions first)
      : clock(world.clock),
        entropy(world.entropy),
        resolver(resolver_used),
        options(std::make_shared<const UnknownIpOptions>(clamped(std::move(first)))),
        checks(world.executor, world.clock, checks_max),
        lookups(world.executor, world.clock, lookups_max) {}

  /// unknown-ip.md section 4: why this client is not looked up; nullptr when it is.
  std::shared_ptr<PendingCheck> skip(const IpAddress& client) const {
    if (options->mode == UnknownIpMode::off) return off;
    for (const IpNetwork& network : options->exempt_networks)
      if (network.contains(client)) return exempt;
    if (options->check_private) return nullptr;
    if (client.is_loopback()) return loopback;
    if (client.is_link_local()) return link_local;
    return client.is_private() ? private_address : nullptr;
  }

  std::shared_ptr<Entry> entry_for(const IpAddress& client) {
    const auto found = entries.find(client);
    if (found != entries.end()) {
      std::shared_ptr<Entry> entry = found->second;
      if (!entry->done) return entry;
      if (clock.now() < entry->expires) {
        lru.splice(lru.begin(), lru, entry->lru);
        return entry;
      }
      forget(*entry);
    }
    return begin(client);
  }

  std::shared_ptr<Entry> begin(const IpAddress& client) {
    auto entry = std::make_shared<Entry>(clock, client, clock.in(options->deadline));
    if (stopped || !checks.spawn("unknown-IP check", run(*this, entry)))
      finish(*entry, undetermined(client));
    else
      entries.emplace(client, entry);
    return entry;
  }

  static io::Task<> run(State& state, std::shared_ptr<Entry> entry) {
    auth::Iprev iprev = co_await auth::check_iprev(state.resolver, state.clock, state.lookups,
                                                   entry->client, entry->deadline);
    if (entry->done) co_return;
    state.finish(*entry, std::make_shared<const auth::Iprev>(std::move(iprev)));
    state.remember(*entry);
  }

  /// The check of this address has ended; its clients resume.
  void finish(Entry& entry, std::shared_ptr<const auth::Iprev> iprev) {
    entry.facts.state = classify(*iprev);
    entry.facts.iprev = std::move(iprev);
    entry.facts.action = action_for(entry.facts.state, *options);
    entry.facts.enforced = options->mode == UnknownIpMode::enforce;
    entry.done = true;
    entry.ended.wake_all();
  }

  [[nodiscard]] Duration time_to_live(const UnknownIpVerdict& facts) const {
    if (facts.state == UnknownIpState::temp_error) return options->undetermined_ttl;
    const Duration ttl = seconds(facts.iprev->ttl_seconds);
    return std::min(ttl, facts.state == UnknownIpState::pass ? options->positive_ttl_max
                                                             : options->negative_ttl_max);
  }

  /// Keeps a result for as long as the DNS allows, and makes room for it.
  void remember(Entry& entry) {
    entry.expires = clock.now() + time_to_live(entry.facts);
    entry.lru = lru.insert(lru.begin(), entry.client);
    entry.in_lru = true;
    while (lru.size() > std::max<std::size_t>(options->cache_entries_max, 1))
      forget(*entries.at(lru.back()));
  }

  /// Its clients may still hold it.
  void forget(Entry& entry) {
    CHECK(entry.in_lru);
    const IpAddress client = *entry.lru;
    entry.in_lru = false;
    lru.erase(entry.lru);
    entries.erase(client);
  }

  io::Clock& clock;
  io::Entropy& entropy;
  dns::Resolver& resolver;
  std::shared_ptr<const UnknownIpOptions> options;
  bool stopped = false;
  io::TaskGroup checks;
  io::TaskGroup lookups;
  std::unordered_map<IpAddress, std::shared_ptr<Entry>> entries;
  std::list<IpAddress> lru;  ///< of the results that are done, the last used first

  std::shared_ptr<PendingCheck> off = std::make_shared<Skipped>("option off");
  std::shared_ptr<PendingCheck> exempt = std::make_shared<Skipped>("exempt network");
  std::shared_ptr<PendingCheck> loopback = std::make_shared<Skipped>("loopback address");
  std::shared_ptr<PendingCheck> link_local = std::make_shared<Skipped>("link-local address");
  std::shared_ptr<PendingCheck> private_address = std::make_shared<Skipped>("private address");
};

UnknownIpCheck::UnknownIpCheck(const io::World& world, dns::Resolver& resolver,
                               UnknownIpOptions options)
    : state_(std::make_shared<State>(world, resolver, std::move(options))) {}

UnknownIpCheck::~UnknownIpCheck() = default;

std::shared_ptr<PendingCheck> UnknownIpCheck::start(const IpAddress& client) {
  if (auto skipped = state_->skip(client)) return skipped;
  return std::make_shared<Pending>(state_->entry_for(client), state_->options, state_->entropy);
}

void UnknownIpCheck::set_options(UnknownIpOptions options) {
  state_->options = std::make_shared<const UnknownIpOptions>(clamped(std::move(options)));
}

bool UnknownIpCheck::has_overrides() const {
  return !state_->options->overrides.empty();
}

std::optional<OverrideDecision> UnknownIpCheck::override_for(
    const UnknownIpVerdict& verdict, std::string_view sender_domain,
    std::string_view recipient_domain) const {
  const UnknownIpOptions& options = *state_->options;
  if (options.overrides.empty() || verdict.state == UnknownIpState::skipped) return std::nullopt;
  const Override* rule = options.overrides.find({.client = verdict.iprev->address,
                                                 .confirmed_name = verdict.iprev->confirmed_name,
                                                 .sender_domain = sender_domain,
                                                 .recipient_domain = recipient_domain,
                                                 .now = state_->clock.wall_now()});
  if (rule == nullptr) return std::nullopt;
  OverrideDecision decision;
  decision.name = rule->name();
  decision.action = rule->action;
  if (verdict.state == UnknownIpState::temp_error && rule->action == Action::reply_550)
    decision.action = Action::reply_451;
  if (!is_reply(decision.action)) return decision;
  decision.case_id = make_case_id(state_->entropy);
  decision.reply = refusal_reply(verdict.state, *verdict.iprev, decision.action,
                                 options.reply_style, decision.case_id);
  return decision;
}

io::Task<> UnknownIpCheck::stop() {
  state_->stopped = true;
  const auto entries = std::move(state_->entries);
  state_->entries.clear();
  state_->lru.clear();
  for (const auto& [client, entry] : entries)
    if (!entry->done) state_->finish(*entry, undetermined(client));
  co_await state_->checks.join();
  co_await state_->lookups.join();
}

const UnknownIpVerdict& UnknownIpCheck::authenticated() {
  static const UnknownIpVerdict verdict = [] {
    UnknownIpVerdict made;
    made.skipped_because = "authenticated";
    return made;
  }();
  return verdict;
}

std::size_t UnknownIpCheck::cached() const {
  return state_->lru.size();
}

std::size_t UnknownIpCheck::under_way() const {
  return state_->checks.size();
}

Result<> validate(const UnknownIpOptions& options) {
  const auto wrong = [](std::string what) {
    return operator_failure(Cause::other, std::move(what));
  };
  if (options.temp_error == Action::reply_550)
    return wrong(
        "actions.temperror may not be 550: a lookup without an answer is never a permanent "
        "refusal; use accept, tag, 450 or 451");
  if (options.deadline <= Duration::zero() || options.deadline > std::chrono::minutes(2))
    return wrong("deadline must be more than 0 and at most 2m");
  return {};
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

}  // namespace postern::policy
