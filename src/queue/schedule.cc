#include "queue/schedule.h"

#include <algorithm>

#include "base/check.h"

namespace postern::queue {
namespace {

// The wall clock may be set while we wait, so look at it again at least this often.
constexpr Duration timer_max = std::chrono::minutes(1);

}  // namespace

Schedule::~Schedule() {
  if (announcer_ != 0) clock_.cancel(announcer_);
  if (timer_ != 0) clock_.cancel(timer_);
}

Schedule::Share* Schedule::find(MessageId id, const std::string& destination) {
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return nullptr;
  for (Share& share : entry->second)
    if (share.destination->name == destination) return &share;
  return nullptr;
}

void Schedule::add(MessageId id, const std::string& destination, WallTime due) {
  const auto [at, created] = destinations_.try_emplace(destination);
  if (created) {
    at->second.name = destination;
    at->second.sequence = ++sequence_;
  }
  Shares& shares = entries_[id.value];
  shares.emplace_back().destination = &at->second;
  ++at->second.shares;
  wait(id, shares.back(), due, false);
}

void Schedule::wait(MessageId id, Share& share, WallTime due, bool forced) {
  share.due = due;
  share.forced = forced;
  share.leased = false;
  share.destination->waiting.emplace(due, id.value);
  if (due <= clock_.wall_now()) announce(*share.destination);
  refresh(*share.destination);
}

void Schedule::lease_share(MessageId id, Share& share) {
  share.destination->waiting.erase({share.due, id.value});
  share.leased = true;
  ++shares_leased_;
  refresh(*share.destination);
}

std::optional<Schedule::Taken> Schedule::take(const std::string& destination) {
  const auto at = destinations_.find(destination);
  if (at == destinations_.end() || at->second.waiting.empty()) return std::nullopt;
  const auto [due, value] = *at->second.waiting.begin();
  if (due > clock_.wall_now()) {
    refresh(at->second);  // the wall clock was set back after it was due
    return std::nullopt;
  }
  const MessageId id{value};
  Share* share = find(id, destination);
  CHECK(share != nullptr && !share->leased);
  lease_share(id, *share);
  return Taken{.id = id, .forced = share->forced};
}

void Schedule::release(MessageId id, const std::string& destination, std::optional<WallTime> due) {
  Share* share = find(id, destination);
  CHECK(share != nullptr && share->leased);
  --shares_leased_;
  if (due) return wait(id, *share, *due, false);
  Shares& shares = entries_[id.value];
  Destination& gone = *share->destination;
  shares.erase(shares.begin() + (share - shares.data()));
  if (shares.empty()) entries_.erase(id.value);
  drop(gone);
}

void Schedule::put_back(MessageId id, const std::string& destination, bool forced) {
  Share* share = find(id, destination);
  CHECK(share != nullptr && share->leased);
  --shares_leased_;
  wait(id, *share, std::min(share->due, clock_.wall_now()), forced);
}

bool Schedule::take_all(MessageId id) {
  if (!contains(id) || leased(id)) return false;
  for (Share& share : entries_[id.value]) lease_share(id, share);
  return true;
}

void Schedule::release_all(MessageId id, std::optional<WallTime> due) {
  const auto entry = entries_.find(id.value);
  CHECK(entry != entries_.end());
  Shares shares = entry->second;
  for (const Share& share : shares) release(id, std::string(share.destination->name), due);
}

bool Schedule::force_shares(MessageId id, Shares& shares) {
  bool any = false;
  for (Share& share : shares) {
    if (share.leased) continue;
    any = true;
    share.destination->waiting.erase({share.due, id.value});
    wait(id, share, std::min(share.due, clock_.wall_now()), true);
  }
  return any;
}

bool Schedule::force(MessageId id) {
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return false;
  force_shares(id, entry->second);
  return true;
}

std::size_t Schedule::force_all() {
  std::size_t count = 0;
  for (auto& [value, shares] : entries_)
    if (force_shares(MessageId{value}, shares)) ++count;
  return count;
}

bool Schedule::leased(MessageId id) const {
  const auto entry = entries_.find(id.value);
  return entry != entries_.end() && std::ranges::any_of(entry->second, &Share::leased);
}

WallTime Schedule::next_due(MessageId id) const {
  WallTime next = WallTime::max();
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return next;
  for (const Share& share : entry->second)
    if (!share.leased) next = std::min(next, share.due);
  return next;
}

std::vector<std::string> Schedule::due_destinations() const {
  std::vector<std::string> out;
  const WallTime now = clock_.wall_now();
  for (const auto& [name, destination] : destinations_)
    if (!destination.waiting.empty() && destination.waiting.begin()->first <= now)
      out.push_back(name);
  return out;
}

void Schedule::drop(Destination& destination) {
  --destination.shares;
  if (destination.shares > 0) return;
  if (destination.timed_at) timed_.erase({*destination.timed_at, destination.sequence});
  destinations_.erase(destinations_.find(destination.name));
}

void Schedule::refresh(Destination& destination) {
  std::optional<WallTime> next;
  if (!destination.waiting.empty()) next = destination.waiting.begin()->first;
  // What is due has been told of; the timer is for the first that is not.
  if (next && *next <= clock_.wall_now()) next.reset();
  if (next == destination.timed_at) return;
  if (destination.timed_at) timed_.erase({*destination.timed_at, destination.sequence});
  destination.timed_at = next;
  if (next) timed_.emplace(std::pair(*next, destination.sequence), &destination);
  set_timer();
}

void Schedule::announce(Destination& destination) {
  if (destination.announced) return;
  destination.announced = true;
  announcements_.push_back(destination.name);
  if (announcer_ == 0) announcer_ = clock_.call_at(clock_.now(), [this] { tell(); });
}

void Schedule::tell() {
  announcer_ = 0;
  const std::vector<std::string> names = std::exchange(announcements_, {});
  for (const std::string& name : names) {
    const auto at = destinations_.find(name);
    if (at == destinations_.end()) continue;
    at->second.announced = false;
    if (listener_) listener_(name);
  }
}

void Schedule::set_timer() {
  if (timed_.empty()) {
    if (timer_ != 0) clock_.cancel(timer_);
    timer_ = 0;
    return;
  }
  const WallTime next = timed_.begin()->first.first;
  if (timer_ != 0 && timer_for_ == next) return;
  if (timer_ != 0) clock_.cancel(timer_);
  timer_for_ = next;
  const WallTime now = clock_.wall_now();
  const Duration wait = next <= now ? Duration::zero() : std::min<Duration>(next - now, timer_max);
  timer_ = clock_.call_at(clock_.now() + wait, [this] { time_passed(); });
}

void Schedule::time_passed() {
  timer_ = 0;
  const WallTime now = clock_.wall_now();
  while (!timed_.empty() && timed_.begin()->first.first <= now) {
    Destination& destination = *timed_.begin()->second;
    destination.timed_at.reset();
    timed_.erase(timed_.begin());
    announce(destination);
  }
  set_timer();
}

}  // namespace postern::queue
