#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"
#include "lab/history.h"
#include "lab/scenario.h"
#include "lab/wire_tap.h"
#include "ledger/deferral.h"
#include "upstream/profile.h"

namespace postern::lab {

class FlowServer;

/// A scenario while it happens: its servers on hosts of a simulated world, in virtual time. The
/// same scenario, profiles and seed give the same history.
///
/// Construct, start() once, run() until over() or as long as it is of interest. One thread.
class Flow {
 public:
  /// `scenario` has no errors, and its profiles are in `profiles`; copies of both are kept.
  Flow(Scenario scenario, const upstream::Profiles& profiles, std::uint64_t seed);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  /// Error: a server could not be started.
  Result<> start();
  /// Lets time pass until `until` since the beginning, or until nothing more will happen. Error: it
  /// happens so much that it seems to have no end.
  Result<> run(Duration until);
  [[nodiscard]] bool over() const { return history_.over; }
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  /// Between times of the ledger and those since the beginning.
  [[nodiscard]] WallTime wall_time(Duration since) const { return wall_beginning_ + since; }
  [[nodiscard]] Duration since_beginning(WallTime time) const { return time - wall_beginning_; }

 private:
  friend class FlowServer;
  [[nodiscard]] Duration now() const { return sim_.now() - beginning_; }
  void happened(Happening::Kind kind, const std::string& host, const std::string& sender,
                const std::string& recipient, std::string text);
  void keep_ledger(Duration at, const std::string& host, std::vector<ledger::Deferral> deferrals);
  void publish(const std::string& zone_text);
  /// The world of a host whose SMTP dialogues are overheard.
  io::World tapped(io::SimHost& host, const IpAddress& address);
  void add_programs();
  io::Task<> send(const ScenarioProgram& program, const ScenarioMail& mail, io::World world);
  io::Task<Result<std::string>> submit(const io::World& world, IpAddress from, Endpoint to,
                                       const ScenarioMail& mail);
  io::Task<> direct(ScenarioEvent event, io::World world);
  void begin_event(const ScenarioEvent& event);
  void end_event(const ScenarioEvent& event);
  [[nodiscard]] bool is_quiet() const;

  Scenario scenario_;
  upstream::Profiles profiles_;
  History history_;
  io::SimWorld sim_;
  SteadyTime beginning_;
  WallTime wall_beginning_;
  dns::Zone zone_;
  TappedNetwork::Ids ids_;
  Overheard::Listener on_attempt_;
  std::vector<io::SimHost*> hosts_;
  std::vector<std::unique_ptr<TappedNetwork>> networks_;
  std::vector<std::unique_ptr<FlowServer>> servers_;
  std::map<std::string, std::vector<ledger::Deferral>> ledgers_;  // as last looked at, by id
  std::size_t tasks_left_ = 0;  // mails to be sent, events to come
};

}  // namespace postern::lab
