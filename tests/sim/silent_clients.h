#pragma once

#include "dice.h"
#include "history.h"
#include "io/sim/sim_world.h"
#include "plan.h"

namespace postern::sim {

/// Clients that stop in the middle of a session and wait: the gateway must end it. How long it
/// bore each is in the history.
class SilentClients {
 public:
  SilentClients(io::SimHost& host, Endpoint gateway, const IpAddress& from, const Plan& plan,
                History& history);

  void start();
  [[nodiscard]] bool done() const { return tasks_.size() == 0; }

 private:
  io::Task<> stop_somewhere(Dice dice);

  io::World world_;
  Endpoint gateway_;
  IpAddress from_;
  const Plan& plan_;
  History& history_;
  io::TaskGroup tasks_;
};

}  // namespace postern::sim
