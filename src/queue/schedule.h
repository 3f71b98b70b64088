#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/clock.h"
#include "queue/queue.h"

namespace postern::queue {

/// Which recipients of which message are due when, in memory: for each message one share for each
/// destination that somebody still waits for. A share is leased as a whole. No I/O; one shard.
/// About 130 bytes for a message with one destination.
///
/// Callers give wall time, which is what the store keeps; here it is turned into steady time at
/// once, so that setting the wall clock neither delays what waits nor hastens it.
///
/// Fair between senders: the due shares of a destination stand in lanes, chosen by a hash of the
/// reverse path, and the lanes are served in turn, each in the order in which its shares got due.
/// So a sender with a hundred thousand messages holds back another's single one by at most one
/// message, unless both share one of the 65,535 lanes; the seed keeps that from being arranged. A
/// lane costs nothing: it is a part of the order in one set.
class Schedule {
 public:
  Schedule(io::Clock& clock, std::uint64_t lane_seed) : clock_(clock), lane_seed_(lane_seed) {}
  ~Schedule();
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  void on_due(std::function<void(const std::string&)> listener) { listener_ = std::move(listener); }

  /// What is to be known of a share besides its time.
  struct Terms {
    std::string_view reverse_path;
    WallTime lifetime_from;
    bool delay_owed = false;
  };
  /// Puts a share that is not there yet.
  void add(MessageId id, const std::string& destination, WallTime due, const Terms& terms);

  struct Taken {
    MessageId id;
    bool forced = false;  ///< due by retry() or flush(): whatever the recipients' own times say
  };
  /// Leases a due share: of the lane whose turn it is the one that has been due longest. nullopt
  /// when none is due.
  std::optional<Taken> take(const std::string& destination);
  /// Ends the lease of a share: due again at `due`, or gone.
  void release(MessageId id, const std::string& destination, std::optional<WallTime> due);
  /// The same, due at once, as it was before take().
  void put_back(MessageId id, const std::string& destination, bool forced);
  /// Nobody of the share waits for a report of delay any more, or somebody does.
  void set_delay_owed(MessageId id, const std::string& destination, bool owed);

  /// As Queue::postpone.
  Queue::Postponed postpone(const std::string& destination,
                            const std::function<std::optional<WallTime>(const ShareFacts&)>& decide,
                            std::size_t count_max);

  /// Leases every share of a message. False, and nothing is done, when one is leased already or
  /// there is no such message.
  bool take_all(MessageId id);
  /// Ends what take_all began: all due at `due`, or the message gone.
  void release_all(MessageId id, std::optional<WallTime> due);

  /// Makes the shares of a message due now. False: there is none.
  bool force(MessageId id);
  std::size_t force_all();

  [[nodiscard]] bool contains(MessageId id) const { return entries_.contains(id.value); }
  [[nodiscard]] bool leased(MessageId id) const;
  /// When the first share that is not leased is due; the distant future when all are.
  [[nodiscard]] WallTime next_due(MessageId id) const;
  [[nodiscard]] std::vector<std::string> due_destinations() const;
  [[nodiscard]] std::size_t messages() const { return entries_.size(); }
  /// The one with the lowest id, which arrived first.
  [[nodiscard]] std::optional<MessageId> oldest() const;
  [[nodiscard]] std::size_t shares_leased() const { return shares_leased_; }

 private:
  using Lane = std::uint16_t;
  using Order = std::pair<SteadyTime, std::uint64_t>;
  struct Turn {
    Lane lane = 0;
    SteadyTime due;
    std::uint64_t id = 0;
    auto operator<=>(const Turn&) const = default;
  };
  struct Destination {
    std::string name;
    std::uint64_t sequence = 0;
    std::set<Order> waiting;  ///< shares that are not due yet
    std::set<Turn> ready;     ///< shares that are due
    Lane next_lane = 0;       ///< whose turn it is
    std::size_t shares = 0;   ///< leased ones too
    std::optional<SteadyTime>
        timed_at;            ///< our place in timed_: when the first of `waiting` is due
    bool announced = false;  ///< in announcements_
  };
  enum class Place : std::uint8_t { waiting, ready, leased };
  // A million of these are usual: kept to 24 bytes, so that a message's only one fits in 32.
  struct Share {
    Destination* destination = nullptr;
    SteadyTime due;
    std::uint32_t lifetime_from_seconds = 0;  ///< since 1970, rounded up
    Lane lane = 0;
    Place place : 2 = Place::leased;
    bool forced : 1 = false;
    bool null_reverse_path : 1 = false;
    bool delay_owed : 1 = false;
    bool urgent : 1 = false;  ///< in the lane of those that postpone() left
  };
  using Shares = std::vector<Share>;

  [[nodiscard]] Lane lane_of(std::string_view reverse_path) const;
  static Turn turn(const Share& share, std::uint64_t id);
  Share& share_of(std::uint64_t id, const Destination& destination);
  Share* find(MessageId id, const std::string& destination);
  [[nodiscard]] SteadyTime steady(WallTime time) const;
  [[nodiscard]] WallTime wall(SteadyTime time) const;
  void put(MessageId id, Share& share, SteadyTime due, bool forced);
  void unlist(MessageId id, Share& share);
  void lease_share(MessageId id, Share& share);
  void drop(Destination& destination);
  bool force_shares(MessageId id, Shares& shares);
  /// Moves what got due meanwhile among the ready, at most `count_max`; gives how many.
  std::size_t promote(Destination& destination, std::size_t count_max);
  /// Files the destination under the time of its next.
  void refresh(Destination& destination);
  void announce(Destination& destination);
  void tell();
  void set_timer();
  void file_by_age(MessageId id);
  void time_passed();

  io::Clock& clock_;
  const std::uint64_t lane_seed_;
  std::function<void(const std::string&)> listener_;
  std::unordered_map<std::uint64_t, Shares> entries_;
  /// A heap of the ids in entries_, the lowest first, and of some that are gone: a look at it takes
  /// them out.
  mutable std::vector<std::uint64_t> by_age_;
  std::unordered_map<std::string, Destination> destinations_;
  std::map<std::pair<SteadyTime, std::uint64_t>, Destination*> timed_;
  std::uint64_t sequence_ = 0;
  std::vector<std::string> announcements_;
  std::size_t shares_leased_ = 0;
  io::Clock::TimerId announcer_ = 0;
  io::Clock::TimerId timer_ = 0;
  SteadyTime timer_for_;
};

}  // namespace postern::queue
