#pragma once

#include "clerk.h"
#include "dice.h"
#include "io/notify.h"
#include "io/task_group.h"
#include "town.h"

namespace postern::sim {

/// Makes things fail in a town, as its plan says, until the plan's time is over; then everything is
/// whole again. Its tasks run on a host of their own. Must outlive the simulated time.
class Director {
 public:
  explicit Director(Town& town);

  void start();
  /// Virtual time after which nothing fails any more.
  [[nodiscard]] SteadyTime end() const { return end_; }

 private:
  [[nodiscard]] bool over() const { return town_.sim.now() >= end_; }
  /// At most so long in a town of twenty minutes; as much longer as the plan takes.
  io::Task<> pause(Dice& dice, Duration most);
  /// The same, however long the plan takes.
  io::Task<> short_pause(Dice& dice, Duration most);
  [[nodiscard]] Duration slower(Duration duration) const;
  /// Until a moment at which much is at stake (a content was sent, a message was taken), and a
  /// little longer.
  io::Task<> wait_for_moment(Dice& dice);

  io::Task<> crash(Dice dice);
  io::Task<> kill_at_events(Dice dice);
  io::Task<> fail_files(Dice dice);
  io::Task<> jump_clock(Dice dice);
  io::Task<> take_away(Dice dice);
  io::Task<> administrate(Dice dice);
  io::Task<> fail_store(Dice dice);
  io::Task<> fill_disk(Dice dice);
  io::Task<> break_connections(Dice dice);
  io::Task<> shorten_reads(Dice dice);
  io::Task<> lose_last_bytes(Dice dice);
  io::Task<> part_hosts(Dice dice);
  io::Task<> fail_dns(Dice dice);
  io::Task<> annoy(Dice dice);
  io::Task<> watch();

  Town& town_;
  Clerk clerk_;
  SteadyTime end_;
  io::Notify moment_;
  io::Notify killed_;
};

}  // namespace postern::sim
