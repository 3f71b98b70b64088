#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/connection.h"
#include "delivery/record.h"
#include "delivery/surroundings.h"
#include "io/notify.h"

namespace postern::delivery {

/// What is known of a destination while couriers serve it, and while it is dead.
struct Destination {
  Destination(std::string destination, io::Clock& clock)
      : name(std::move(destination)), work(clock) {}

  /// None of its hosts could be reached: until `dead_until` its mail is deferred without an attempt
  /// and only its own; the time grows with each failure as the retry list does.
  void failed(const Outcome& outcome, const DeliveryOptions& options, SteadyTime now);
  void answered() { failures = 0; }
  [[nodiscard]] bool dead(SteadyTime now) const { return failures > 0 && now < dead_until; }

  const std::string name;
  io::Notify work;           ///< idle couriers wait here
  std::size_t couriers = 0;  ///< tasks
  bool more_work = false;    ///< something got due that nobody could be sent for
  std::uint32_t failures = 0;
  SteadyTime dead_until;
  Outcome failure;  ///< the last, while failures > 0
};

/// The life of one connection task: leases mail of one destination and delivers it, over one
/// connection after the other, until there is no more. Made by the dispatcher, which outlives it.
class Courier {
 public:
  /// `on_lease` is called after a lease that may not be the only one: another courier could help.
  Courier(Surroundings& around, Destination& destination, std::function<void()> on_lease)
      : around_(around), destination_(destination), on_lease_(std::move(on_lease)) {}

  io::Task<> run();
  /// Ends the connection at once; what is undecided is due again at once.
  void close();

 private:
  using Pending = std::vector<std::uint32_t>;  // positions in the lease's recipients

  io::Task<std::optional<queue::Lease>> next_lease();
  io::Task<> serve(queue::Lease lease);
  io::Task<> attempt(const queue::Lease& lease, std::vector<Outcome>& outcomes);
  /// Nothing, or why no host took a connection.
  io::Task<std::optional<Outcome>> connect();
  io::Task<std::optional<Outcome>> connect_to_next();
  /// One transaction for the first of `pending`; takes those that it decided out of it.
  io::Task<> transaction(const queue::Lease& lease, Pending& pending,
                         std::vector<Outcome>& outcomes);
  void take(std::vector<smtp::ClientOutcome> results, Pending& pending,
            std::vector<Outcome>& outcomes);
  [[nodiscard]] smtp::ClientMessage message_for(const queue::Lease& lease,
                                                const Pending& pending) const;
  io::Task<> drop_connection();

  Surroundings& around_;
  Destination& destination_;
  std::function<void()> on_lease_;
  std::unique_ptr<Connection> connection_;
  std::vector<Target> targets_;  // of the last lookup
  std::size_t next_target_ = 0;
  bool looked_up_ = false;
  bool closed_ = false;
};

}  // namespace postern::delivery
