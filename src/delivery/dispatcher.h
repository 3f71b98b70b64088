#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "delivery/courier.h"
#include "delivery/surroundings.h"
#include "io/task_group.h"

namespace postern::delivery {

/// The sending half of Postern: takes what is due out of the queue, delivers it, and records what
/// came of it. One shard. Starts as many couriers for each destination as it has shown to bear
/// (destination.h), connections_per_destination_max or what its route says at most, and
/// connections_max in all. When these are taken, destinations wait for a place in turn, and those
/// that have more than an equal part of them give some up between two messages. A destination that
/// cannot be reached holds back its own mail only.
///
/// Lifecycle: construct, start(), and stop() before it is destroyed. Everything lent outlives it.
class Dispatcher final : private Places {
 public:
  Dispatcher(const io::World& world, queue::Queue& queue, dns::Resolver& resolver, TlsClient* tls,
             Log& log, const DeliveryOptions& options);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Becomes the queue's listener and begins with what is due already.
  void start();
  /// No new work; what is under way may end until `deadline`, then its connections are closed and
  /// its mail is due again. Resumes when no task is left: at the latest one connect_timeout or
  /// lookup_timeout after the deadline.
  io::Task<> stop(io::Deadline deadline);
  /// Forgets which destinations are dead: the administrator wants an attempt now.
  void retry_now();
  /// Ends all of a message that Administration::lease_all gave, with the report that its sender is
  /// owed, in one commit; `reason` is the administrator's, or empty. When it fails the message
  /// stays queued, and the log says why. With the null reverse path nobody can be told: it becomes
  /// a dead letter, so that nothing vanishes; whoever asks for this leaves such messages alone.
  io::Task<> remove_with_report(queue::Lease lease, std::string reason);
  /// From now on, for what begins after this (SIGHUP). hostname, postmaster, retry times, limits
  /// and routes of new destinations follow; connections that stand do not change.
  void set_options(DeliveryOptions options);

  [[nodiscard]] std::size_t couriers() const { return tasks_.size(); }
  [[nodiscard]] std::size_t destinations() const { return destinations_.size(); }
  [[nodiscard]] const Metrics& metrics() const { return around_.metrics; }

 private:
  void call_help(Destination& destination) override;
  void hold(Destination& destination, SteadyTime until) override;
  [[nodiscard]] bool wanted(const Destination& destination) const override;
  [[nodiscard]] bool wanted() const override { return !starved_.empty(); }

  void on_due(const std::string& destination);
  void send_courier(Destination& destination);
  bool spawn(Destination& destination);
  void starve(Destination& destination);
  io::Task<> run_courier(Destination& destination);
  void courier_ended(Destination& destination);
  void feed_starved();
  void count(Destination& destination);
  [[nodiscard]] std::size_t fair_share() const;
  Destination& destination(const std::string& name);
  void forget_old_destinations();
  void close_all();

  Surroundings around_;
  io::TaskGroup tasks_;
  /// Destinations in trouble are remembered; beyond so many, those that are not dead are forgotten.
  static constexpr std::size_t destinations_wanted = 10'000;
  std::unordered_map<std::string, std::unique_ptr<Destination>> destinations_;
  std::size_t forget_at_ = destinations_wanted;
  std::set<Courier*> running_;
  std::deque<Destination*> starved_;  // have due work, and found the house full; in turn
  std::size_t contenders_ = 0;        // destinations that have couriers or wait for a place
  io::Clock::TimerId feeder_ = 0;
};

}  // namespace postern::delivery
