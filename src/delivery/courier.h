#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/connection.h"
#include "delivery/destination.h"
#include "delivery/record.h"
#include "delivery/surroundings.h"

namespace postern::delivery {

/// The dispatcher, as its couriers see it.
class Places {
 public:
  /// There may be more to do for a destination than its couriers can: sends another one, when one
  /// may be had.
  virtual void call_help(Destination& destination) = 0;
  /// Nobody is sent for a destination until then.
  virtual void hold(Destination& destination, SteadyTime until) = 0;
  /// Others wait for a place, of which this destination has more than its share.
  [[nodiscard]] virtual bool wanted(const Destination& destination) const = 0;
  /// Somebody waits for a place.
  [[nodiscard]] virtual bool wanted() const = 0;

 protected:
  ~Places() = default;
};

/// The place of a connection among those to its address that have not carried a message yet.
class Unanswered {
 public:
  Unanswered(Surroundings& around, const Endpoint& at);
  Unanswered(const Unanswered&) = delete;
  Unanswered& operator=(const Unanswered&) = delete;
  ~Unanswered();

 private:
  std::shared_ptr<Surroundings::CountOf> counts_;  // a courier's frame may end after the dispatcher
  Endpoint at_;
};

/// The life of one connection task: leases mail of one destination and delivers it, over one
/// connection after the other, until there is no more. Made by the dispatcher, which outlives it.
class Courier {
 public:
  Courier(Surroundings& around, Destination& destination, Places& places)
      : around_(around), destination_(destination), places_(places) {}

  io::Task<> run();
  /// Ends the connection at once; what is undecided is due again at once.
  void close();

 private:
  using Pending = std::vector<std::uint32_t>;  // positions in the lease's recipients

  enum class Turn : std::uint8_t { lease, again, leave };

  io::Task<std::optional<queue::Lease>> next_lease();
  /// Whether this courier may take mail now.
  io::Task<Turn> turn();
  void put_token_back();
  /// While the destination is dead: what is due waits on, in memory. True: something is owed now.
  io::Task<bool> postpone();
  io::Task<> serve(queue::Lease lease);
  io::Task<> attempt(const queue::Lease& lease, std::vector<Outcome>& outcomes);
  void learn(std::uint32_t epoch);
  void note(const Outcome& outcome);
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
  Places& places_;
  std::unique_ptr<Connection> connection_;
  std::optional<Unanswered> unanswered_;  // of the connection, until it has carried a message
  std::vector<Target> targets_;           // of the last lookup
  std::size_t next_target_ = 0;
  bool looked_up_ = false;
  bool closed_ = false;
  bool has_token_ = false;  // of destination_.rate, for the next message

  // of this attempt
  bool answered_ = false;           // a host took or refused the message
  bool crowded_ = false;            // a host bears no more connections that wait for it
  std::optional<Outcome> trouble_;  // why a host said nothing about it
};

}  // namespace postern::delivery
