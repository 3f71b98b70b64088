#pragma once

#include <memory>
#include <string>
#include <vector>

#include "counting_network.h"
#include "dns/zone_resolver.h"
#include "history.h"
#include "io/sim/sim_world.h"
#include "next_hop.h"
#include "plan.h"
#include "queue/administration.h"
#include "queue/memory_store.h"
#include "server/server.h"
#include "silent_clients.h"
#include "upstream.h"

namespace postern::sim {

/// What the gateway's DNS does at this moment.
struct DnsState {
  bool flaky_fails = false;     ///< the reverse zone of the flaky client: SERVFAIL
  bool reverse_fails = false;   ///< all reverse zones: SERVFAIL
  bool forward_silent = false;  ///< MX and addresses of the next hops: no answer at all
  bool operator==(const DnsState&) const = default;
};

/// What a run prints while it goes on.
enum class Shown : std::uint8_t { nothing, log, trace };

/// Takes from the gateway's log what the checkers want to know; prints it all when it is shown.
class TownLog final : public Log {
 public:
  TownLog(History& history, const io::SimWorld& sim, Shown shown)
      : history_(history), sim_(sim), shown_(shown != Shown::nothing) {}
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override;
  void raw(Severity, std::string_view) override {}

 private:
  void note_outcome(std::string_view event, std::initializer_list<LogField> fields);

  History& history_;
  const io::SimWorld& sim_;
  bool shown_;
};

/// How the gateway's store is made; the default is the memory store itself.
using StoreMaker = std::unique_ptr<queue::Store> (*)(queue::MemoryStore& memory);

/// All hosts of a run: upstream, gateway, three next hops, the sender's mailbox, and the one from
/// which faults are directed.
class Town {
 public:
  static constexpr std::size_t next_hops = 4;  ///< the last is the sender's mailbox

  Town(const Plan& plan, StoreMaker make_store, Shown shown);
  ~Town();
  Town(const Town&) = delete;
  Town& operator=(const Town&) = delete;

  void start_gateway();
  /// Not from a task of the gateway. The gateway is off after it.
  void crash_gateway(io::CrashKind kind, Dice& dice);
  [[nodiscard]] bool gateway_runs() const { return server_ != nullptr; }
  /// It was started and gave up, as when its store fails: to be crashed and started again.
  [[nodiscard]] bool gateway_gave_up() const { return gave_up_; }
  void set_dns(const DnsState& state);
  void set_disk_full(bool full);
  /// While away, a next hop refuses connections or does not answer at all.
  void set_away(const NextHop& hop, bool away, io::ConnectRule how);
  [[nodiscard]] io::SimHost& gateway_host() { return gateway_; }
  /// Null unless it has started.
  [[nodiscard]] server::Server* running_gateway() { return started_ ? server_.get() : nullptr; }

  /// Nothing is under way or waiting anywhere.
  [[nodiscard]] bool is_quiet();
  /// Ends everything in order and completes the history.
  void close_down();

  static IpAddress gateway_address();
  [[nodiscard]] std::vector<IpAddress> neighbours() const;

  Plan plan;
  History history;
  io::SimWorld sim;
  queue::MemoryStore memory;
  io::SimHost& director;
  std::vector<std::unique_ptr<NextHop>> hops;
  std::unique_ptr<Upstream> upstream;
  std::unique_ptr<SilentClients> silent_clients;

 private:
  void promise();
  void build_next_hops();
  [[nodiscard]] server::ServerOptions options() const;
  io::Task<> start(server::Server* server, std::unique_ptr<io::Listener> listener);
  io::Task<> stop_gateway();
  io::Task<> read_ledger();
  io::Task<> read_dead_letters();
  io::Task<> read_dead_letter(queue::Administration& administration, queue::MessageId id);

  std::unique_ptr<queue::Store> store_wrapper_;
  queue::Store* store_;
  TownLog log_;
  ConnectionCounts counts_;
  io::SimHost& gateway_;
  io::SimHost& clients_;
  std::vector<io::SimHost*> hop_hosts_;
  CountingNetwork network_;
  DnsState dns_;
  std::unique_ptr<dns::ZoneResolver> resolver_;
  std::unique_ptr<server::Server> server_;
  bool gave_up_ = false;
  bool started_ = false;
};

}  // namespace postern::sim
