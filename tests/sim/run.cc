#include "run.h"

#include "faults.h"

namespace postern::sim {

History run(const Plan& plan, StoreMaker make_store) {
  Town town(plan, make_store);
  Director director(town);
  if (plan.faults()) director.start();
  if (!town.sim.run_until(director.end() + seconds(1)))
    town.history.oddities.emplace_back("the run did not end: too many events");
  const SteadyTime patience_end = director.end() + healing_time;
  while (!town.is_quiet() && town.sim.now() < patience_end)
    if (!town.sim.run_for(seconds(5))) break;
  town.history.healed = town.is_quiet();
  town.close_down();
  return town.history;
}

}  // namespace postern::sim
