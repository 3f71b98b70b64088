#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/clock.h"
#include "queue/queue.h"

namespace postern::queue {

/// Which recipients of which message are due when, in memory: for each message one share for each
/// destination that somebody still waits for. A share is leased as a whole. No I/O; one shard.
/// About 200 bytes for a message with one destination.
class Schedule {
 public:
  explicit Schedule(io::Clock& clock) : clock_(clock) {}
  ~Schedule();
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  void on_due(std::function<void(const std::string&)> listener) { listener_ = std::move(listener); }

  /// Puts a share that is not there yet.
  void add(MessageId id, const std::string& destination, WallTime due);

  struct Taken {
    MessageId id;
    bool forced = false;  ///< due by retry() or flush(): whatever the recipients' own times say
  };
  /// Leases the share that has been due longest; nullopt when none is due.
  std::optional<Taken> take(const std::string& destination);
  /// Ends the lease of a share: due again at `due`, or gone.
  void release(MessageId id, const std::string& destination, std::optional<WallTime> due);
  /// The same, due at once, as it was before take().
  void put_back(MessageId id, const std::string& destination, bool forced);

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
  [[nodiscard]] std::size_t shares_leased() const { return shares_leased_; }

 private:
  using Order = std::pair<WallTime, std::uint64_t>;
  struct Destination {
    std::string name;
    std::uint64_t sequence = 0;
    std::set<Order> waiting;           ///< shares that are not leased
    std::size_t shares = 0;            ///< leased ones too
    std::optional<WallTime> timed_at;  ///< our place in timed_, while nothing is due
    bool announced = false;            ///< in announcements_
  };
  struct Share {
    Destination* destination = nullptr;
    WallTime due;
    bool leased = false;
    bool forced = false;
  };
  using Shares = std::vector<Share>;

  Share* find(MessageId id, const std::string& destination);
  void wait(MessageId id, Share& share, WallTime due, bool forced);
  void lease_share(MessageId id, Share& share);
  void drop(Destination& destination);
  bool force_shares(MessageId id, Shares& shares);
  /// Tells of due work, or files the destination under the time of its next.
  void refresh(Destination& destination);
  void announce(Destination& destination);
  void tell();
  void set_timer();
  void time_passed();

  io::Clock& clock_;
  std::function<void(const std::string&)> listener_;
  std::unordered_map<std::uint64_t, Shares> entries_;
  std::map<std::string, Destination, std::less<>> destinations_;
  std::map<std::pair<WallTime, std::uint64_t>, Destination*> timed_;
  std::uint64_t sequence_ = 0;
  std::vector<std::string> announcements_;
  std::size_t shares_leased_ = 0;
  io::Clock::TimerId announcer_ = 0;
  io::Clock::TimerId timer_ = 0;
  WallTime timer_for_;
};

}  // namespace postern::queue
