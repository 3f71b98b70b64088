#include "queue/schedule.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/random.h"

namespace postern::queue {
namespace {

// The distant future is no time for a timer.
constexpr Duration timer_max = std::chrono::hours(24);
// When a hundred thousand get due at the same moment, others get their turn in between.
constexpr std::size_t promoted_at_once_max = 1000;
constexpr std::uint16_t urgent_lane = 0;

std::uint32_t seconds_of(WallTime time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time.time_since_epoch()).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(seconds, 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

Schedule::~Schedule() {
  if (announcer_ != 0) clock_.cancel(announcer_);
  if (timer_ != 0) clock_.cancel(timer_);
}

Schedule::Lane Schedule::lane_of(std::string_view reverse_path) const {
  // FNV-1a from a secret seed, then mixed; lane 0 is the urgent one's.
  std::uint64_t hash = lane_seed_ ^ 0xcbf29ce484222325ULL;
  for (const char c : reverse_path)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return static_cast<Lane>(1 + SplitMix64(hash).below(std::numeric_limits<Lane>::max()));
}

Schedule::Turn Schedule::turn(const Share& share, std::uint64_t id) {
  return {.lane = share.urgent ? urgent_lane : share.lane, .due = share.due, .id = id};
}

Schedule::Share* Schedule::find(MessageId id, const std::string& destination) {
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return nullptr;
  for (Share& share : entry->second)
    if (share.destination->name == destination) return &share;
  return nullptr;
}

Schedule::Share& Schedule::share_of(std::uint64_t id, const Destination& destination) {
  const auto entry = entries_.find(id);
  CHECK(entry != entries_.end());
  const auto share = std::ranges::find(entry->second, &destination, &Share::destination);
  CHECK(share != entry->second.end());
  return *share;
}

SteadyTime Schedule::steady(WallTime time) const {
  const SteadyTime now = clock_.now();
  // What is overdue keeps its order. The distant past and future do not overflow.
  const Duration wait = std::max(time, WallTime()) - clock_.wall_now();
  return wait < SteadyTime::max() - now ? now + wait : SteadyTime::max();
}

WallTime Schedule::wall(SteadyTime time) const {
  const WallTime wall_now = clock_.wall_now();
  const Duration wait = time - clock_.now();
  return wait < WallTime::max() - wall_now ? wall_now + wait : WallTime::max();
}

void Schedule::add(MessageId id, const std::string& destination, WallTime due, const Terms& terms) {
  const auto [at, created] = destinations_.try_emplace(destination);
  if (created) {
    at->second.name = destination;
    at->second.sequence = ++sequence_;
  }
  Shares& shares = entries_[id.value];
  if (shares.empty()) file_by_age(id);
  Share& share = shares.emplace_back();
  share.destination = &at->second;
  share.lane = lane_of(terms.reverse_path);
  share.null_reverse_path = terms.reverse_path.empty();
  share.delay_owed = terms.delay_owed;
  share.lifetime_from_seconds = seconds_of(terms.lifetime_from);
  ++at->second.shares;
  put(id, share, steady(due), false);
}

void Schedule::set_delay_owed(MessageId id, const std::string& destination, bool owed) {
  if (Share* share = find(id, destination); share != nullptr) share->delay_owed = owed;
}

// --- the oldest

void Schedule::file_by_age(MessageId id) {
  // Seldom, however many go: what is gone is taken out when it is the half.
  if (by_age_.size() >= 1000 + 2 * entries_.size()) {
    std::erase_if(by_age_, [this](std::uint64_t known) { return !entries_.contains(known); });
    std::ranges::make_heap(by_age_, std::greater{});
  }
  by_age_.push_back(id.value);
  std::ranges::push_heap(by_age_, std::greater{});
}

std::optional<MessageId> Schedule::oldest() const {
  while (!by_age_.empty() && !entries_.contains(by_age_.front())) {
    std::ranges::pop_heap(by_age_, std::greater{});
    by_age_.pop_back();
  }
  if (by_age_.empty()) return std::nullopt;
  return MessageId{by_age_.front()};
}

// --- due and not yet due

void Schedule::put(MessageId id, Share& share, SteadyTime due, bool forced) {
  Destination& destination = *share.destination;
  share.due = due;
  share.forced = forced;
  share.urgent = false;
  if (due <= clock_.now()) {
    share.place = Place::ready;
    destination.ready.insert(turn(share, id.value));
    announce(destination);
  } else {
    share.place = Place::waiting;
    destination.waiting.emplace(due, id.value);
  }
  refresh(destination);
}

void Schedule::unlist(MessageId id, Share& share) {
  if (share.place == Place::ready) share.destination->ready.erase(turn(share, id.value));
  if (share.place == Place::waiting) share.destination->waiting.erase({share.due, id.value});
}

std::size_t Schedule::promote(Destination& destination, std::size_t count_max) {
  const SteadyTime now = clock_.now();
  std::size_t count = 0;
  for (; count < count_max && !destination.waiting.empty(); ++count) {
    const auto [due, id] = *destination.waiting.begin();
    if (due > now) break;
    Share& share = share_of(id, destination);
    destination.waiting.erase(destination.waiting.begin());
    share.place = Place::ready;
    destination.ready.insert(turn(share, id));
  }
  return count;
}

Queue::Postponed Schedule::postpone(
    const std::string& name,
    const std::function<std::optional<WallTime>(const ShareFacts&)>& decide,
    std::size_t count_max) {
  Queue::Postponed result;
  const auto at = destinations_.find(name);
  if (at == destinations_.end()) return result;
  Destination& destination = at->second;
  const bool more_waits = promote(destination, count_max) == count_max;
  constexpr Turn first{.lane = urgent_lane + 1, .due = SteadyTime::min(), .id = 0};
  const SteadyTime now = clock_.now();
  std::size_t looked_at = 0;
  auto next = destination.ready.lower_bound(first);
  for (; looked_at < count_max && next != destination.ready.end(); ++looked_at) {
    const std::uint64_t id = next->id;
    Share& share = share_of(id, destination);
    next = destination.ready.erase(next);
    const std::optional<WallTime> due =
        decide({.id = MessageId{id},
                .lifetime_from = WallTime(std::chrono::seconds(share.lifetime_from_seconds)),
                .null_reverse_path = share.null_reverse_path,
                .delay_owed = share.delay_owed});
    if (const SteadyTime later = due ? steady(*due) : now; later > now) {
      share.due = later;
      share.place = Place::waiting;
      destination.waiting.emplace(share.due, id);
      ++result.postponed;
    } else {
      share.urgent = true;
      destination.ready.insert(turn(share, id));
    }
  }
  result.more = more_waits || next != destination.ready.end();
  result.urgent = !destination.ready.empty() && destination.ready.begin()->lane == urgent_lane;
  refresh(destination);
  return result;
}

// --- leases

void Schedule::lease_share(MessageId id, Share& share) {
  unlist(id, share);
  share.place = Place::leased;
  ++shares_leased_;
  refresh(*share.destination);
}

std::optional<Schedule::Taken> Schedule::take(const std::string& destination) {
  const auto at = destinations_.find(destination);
  if (at == destinations_.end()) return std::nullopt;
  Destination& from = at->second;
  if (from.ready.empty() && promote(from, promoted_at_once_max) == 0) return std::nullopt;
  auto next = from.ready.lower_bound({.lane = from.next_lane, .due = SteadyTime::min(), .id = 0});
  if (next == from.ready.end()) next = from.ready.begin();
  from.next_lane = static_cast<Lane>(next->lane + 1);
  const MessageId id{next->id};
  Share& share = share_of(id.value, from);
  CHECK(share.place == Place::ready);
  lease_share(id, share);
  return Taken{.id = id, .forced = share.forced};
}

void Schedule::release(MessageId id, const std::string& destination, std::optional<WallTime> due) {
  Share* share = find(id, destination);
  CHECK(share != nullptr && share->place == Place::leased);
  --shares_leased_;
  if (due) return put(id, *share, steady(*due), false);
  Shares& shares = entries_[id.value];
  Destination& gone = *share->destination;
  shares.erase(shares.begin() + (share - shares.data()));
  if (shares.empty()) entries_.erase(id.value);
  drop(gone);
}

void Schedule::put_back(MessageId id, const std::string& destination, bool forced) {
  Share* share = find(id, destination);
  CHECK(share != nullptr && share->place == Place::leased);
  --shares_leased_;
  put(id, *share, std::min(share->due, clock_.now()), forced);
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
    if (share.place == Place::leased) continue;
    any = true;
    unlist(id, share);
    put(id, share, std::min(share.due, clock_.now()), true);
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
  return entry != entries_.end() && std::ranges::any_of(entry->second, [](const Share& share) {
           return share.place == Place::leased;
         });
}

WallTime Schedule::next_due(MessageId id) const {
  SteadyTime next = SteadyTime::max();
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return WallTime::max();
  for (const Share& share : entry->second)
    if (share.place != Place::leased) next = std::min(next, share.due);
  return wall(next);
}

std::vector<std::string> Schedule::due_destinations() const {
  std::vector<std::string> out;
  const SteadyTime now = clock_.now();
  for (const auto& [name, destination] : destinations_)
    if (!destination.ready.empty() ||
        (!destination.waiting.empty() && destination.waiting.begin()->first <= now))
      out.push_back(name);
  std::ranges::sort(out);
  return out;
}

void Schedule::drop(Destination& destination) {
  --destination.shares;
  if (destination.shares > 0) return;
  if (destination.timed_at) timed_.erase({*destination.timed_at, destination.sequence});
  destinations_.erase(destinations_.find(destination.name));
}

void Schedule::refresh(Destination& destination) {
  std::optional<SteadyTime> next;
  if (!destination.waiting.empty()) next = destination.waiting.begin()->first;
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
  const SteadyTime next = timed_.begin()->first.first;
  if (timer_ != 0 && timer_for_ == next) return;
  if (timer_ != 0) clock_.cancel(timer_);
  timer_for_ = next;
  const SteadyTime now = clock_.now();
  timer_ = clock_.call_at(std::clamp(next, now, now + timer_max), [this] { time_passed(); });
}

void Schedule::time_passed() {
  timer_ = 0;
  const SteadyTime now = clock_.now();
  std::size_t left = promoted_at_once_max;
  while (left > 0 && !timed_.empty() && timed_.begin()->first.first <= now) {
    Destination& destination = *timed_.begin()->second;
    left -= promote(destination, left);
    announce(destination);
    refresh(destination);
  }
  set_timer();
}

}  // namespace postern::queue
