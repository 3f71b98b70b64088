#include "run.h"

#include <algorithm>
#include <fmt/format.h>

#include "faults.h"

namespace postern::sim {
namespace {

constexpr Duration look_every = seconds(5);

}  // namespace

Duration healing_time(const Plan& plan, const History& history) {
  // The longest timeouts, one after the other; then the pause that a destination may have begun
  // with its last fault, those of a greylisted message, and the same for its report. A clock that
  // was set back lets all that waits wait as much longer.
  return std::chrono::hours(2) + 6 * plan.retry_max() + history.clock_back;
}

History run(const Plan& plan, RunOptions options) {
  Town town(plan, options.make_store, options.shown);
  Director director(town);
  if (plan.faults()) director.start();
  if (!town.sim.run_until(director.end() + seconds(1)))
    town.history.oddities.emplace_back("the run did not end: too many events");
  const SteadyTime patience_end = director.end() + healing_time(plan, town.history);
  while (!town.is_quiet() && town.sim.now() < patience_end)
    if (!town.sim.run_for(look_every)) break;
  town.history.healed = town.is_quiet();
  town.close_down();
  for (const std::string& line : town.sim.trace().text()) fmt::print("{}\n", line);
  return town.history;
}

}  // namespace postern::sim
