#include "policy/probed_recipients.h"

#include <algorithm>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "io/notify.h"
#include "io/task_group.h"

namespace postern::policy {
namespace {

/// Of a reply, in the cache.
constexpr std::size_t reply_bytes_max = 300;

ProbeAnswer undecided(std::string why) {
  return {ProbeState::undecided, {}, std::move(why), false};
}

}  // namespace

/// One recipient: asked about, answered, or both (an old answer that is being refreshed).
struct ProbedRecipients::Entry {
  using Lru = std::list<Entry*>;

  Entry(io::Clock& clock, std::string address) : key(std::move(address)), ended(clock) {}

  const std::string key;
  bool asking = false;
  SteadyTime asked;  ///< when `asking`
  io::Notify ended;  ///< of asking
  ProbeAnswer answer;
  SteadyTime refresh;     ///< when to ask again
  SteadyTime expires;     ///< when the answer no longer counts
  Lru* place = nullptr;   ///< the list that it is in; nullptr: there is no answer
  Lru::iterator in_list;  ///< when it is in one
};

struct ProbedRecipients::State {
  State(const io::World& world, RecipientProbe& used, const ProbeOptions& first)
      : clock(world.clock),
        probe(used),
        options(first),
        asks(world.executor, world.clock, asks_max) {}

  std::shared_ptr<Entry> entry_for(const std::string& key) {
    auto& place = entries[key];
    if (!place) place = std::make_shared<Entry>(clock, key);
    return place;
  }

  void begin_asking(const std::shared_ptr<Entry>& entry, mail::Mailbox recipient) {
    if (stopped || !asks.spawn("recipient probe", ask(*this, entry, std::move(recipient)))) return;
    entry->asking = true;
    entry->asked = clock.now();
  }

  static io::Task<> ask(State& state, std::shared_ptr<Entry> entry, mail::Mailbox recipient) {
    ProbeAnswer answer = co_await state.probe.ask(std::move(recipient));
    // After stop() nobody waits any more, and nothing is remembered.
    if (!entry->asking) co_return;
    entry->asking = false;
    state.take(*entry, std::move(answer));
    entry->ended.wake_all();
  }

  void take(Entry& entry, ProbeAnswer answer) {
    const SteadyTime now = clock.now();
    const bool old_counts = entry.place != nullptr && now < entry.expires;
    if (answer.state == ProbeState::undecided && old_counts) {
      entry.refresh = std::min(entry.expires, now + options.undecided_ttl);
      return;
    }
    if (answer.reply.size() > reply_bytes_max) answer.reply.resize(reply_bytes_max);
    if (answer.state == ProbeState::exists) answer.reply.clear();
    entry.answer = std::move(answer);
    const auto& [ttl, refresh] = times_of(entry.answer.state);
    entry.refresh = now + refresh;
    entry.expires = now + ttl;
    remember(entry);
  }

  [[nodiscard]] std::pair<Duration, Duration> times_of(ProbeState state) const {
    switch (state) {
      case ProbeState::exists:
        return {options.known_ttl, options.known_refresh};
      case ProbeState::unknown:
        return {options.unknown_ttl, options.unknown_refresh};
      case ProbeState::undecided:
        break;
    }
    return {options.undecided_ttl, options.undecided_ttl};
  }

  /// Puts it first in its list and makes room for it; unless it was forgotten while it was asked
  /// about, then only those who waited get the answer.
  void remember(Entry& entry) {
    const auto found = entries.find(entry.key);
    if (found == entries.end() || found->second.get() != &entry) return;
    leave_list(entry);
    Entry::Lru& list = entry.answer.state == ProbeState::exists ? known : others;
    entry.in_list = list.insert(list.begin(), &entry);
    entry.place = &list;
    while (list.size() > std::max<std::size_t>(options.entries_max, 1)) forget(*list.back());
  }

  static void leave_list(Entry& entry) {
    if (entry.place != nullptr) entry.place->erase(entry.in_list);
    entry.place = nullptr;
  }

  void forget(Entry& entry) {
    leave_list(entry);
    entries.erase(std::string(entry.key));
  }

  io::Clock& clock;
  RecipientProbe& probe;
  ProbeOptions options;
  bool stopped = false;
  io::TaskGroup asks;
  /// By address. One without an answer is being asked about.
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries;
  Entry::Lru known;  ///< of those that exist, the last used first
  Entry::Lru others;
};

ProbedRecipients::ProbedRecipients(const io::World& world, RecipientProbe& probe,
                                   const ProbeOptions& options)
    : state_(std::make_unique<State>(world, probe, options)) {}

ProbedRecipients::~ProbedRecipients() = default;

io::Task<ProbeAnswer> ProbedRecipients::find(mail::Mailbox recipient, Patience patience) {
  State& state = *state_;
  const std::shared_ptr<Entry> entry =
      state.entry_for(recipient.local_part + "@" + mail::normalize_domain(recipient.domain));
  const SteadyTime now = state.clock.now();
  if (entry->place != nullptr && now >= entry->expires) State::leave_list(*entry);
  if (entry->place != nullptr) {
    entry->place->splice(entry->place->begin(), *entry->place, entry->in_list);
    if (now < entry->refresh) co_return entry->answer;
  }
  if (!entry->asking) state.begin_asking(entry, std::move(recipient));
  const bool has_old = entry->place != nullptr;
  // Whom we know gets mail at once; whether that is still so, the next mail will find.
  if (has_old && entry->answer.state == ProbeState::exists) co_return entry->answer;
  if (!entry->asking) {
    if (has_old) co_return entry->answer;
    state.forget(*entry);
    co_return undecided(state.stopped ? "the server is stopping"
                                      : "too many recipients are being asked about");
  }
  const auto deadline = io::Deadline::at(entry->asked + state.options.timeout);
  while (patience == Patience::wait && entry->asking && co_await entry->ended.wait(deadline)) {
  }
  if (!entry->asking || entry->place != nullptr) co_return entry->answer;
  ProbeAnswer late = undecided("no answer in " + format_duration(state.options.timeout));
  late.timed_out = true;
  co_return late;
}

void ProbedRecipients::set_options(const ProbeOptions& options) {
  state_->options = options;
  while (!state_->others.empty()) state_->forget(*state_->others.front());
}

io::Task<> ProbedRecipients::stop() {
  state_->stopped = true;
  for (const auto& [key, entry] : state_->entries) {
    if (!entry->asking) continue;
    entry->asking = false;
    if (entry->place == nullptr) entry->answer = undecided("the server is stopping");
    entry->ended.wake_all();
  }
  co_await state_->asks.join();
}

std::size_t ProbedRecipients::known() const {
  return state_->known.size();
}
std::size_t ProbedRecipients::others() const {
  return state_->others.size();
}
std::size_t ProbedRecipients::under_way() const {
  return state_->asks.size();
}

}  // namespace postern::policy
