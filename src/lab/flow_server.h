#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lab/flow.h"
#include "lab/mailbox_server.h"
#include "lab/profile_server.h"
#include "queue/memory_store.h"
#include "server/server.h"

namespace postern::lab {

/// A resolver over the scenario's zone that may be made to fail. Tells each lookup.
class FlowResolver final : public dns::Resolver {
 public:
  using OnLookup = std::function<void(const std::string& name, dns::Type type, dns::Status status)>;

  FlowResolver(io::Clock& clock, dns::Zone zone, OnLookup on_lookup)
      : clock_(clock), zones_(clock, std::move(zone)), on_lookup_(std::move(on_lookup)) {
    zones_.set_latency(std::chrono::milliseconds(5));
  }
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override;
  void stop() override { zones_.stop(); }
  void set_zone(const dns::Zone& zone) { zones_.set_zone(zone); }
  void set_down(bool down) { down_ = down; }

 private:
  io::Clock& clock_;
  dns::ZoneResolver zones_;
  OnLookup on_lookup_;
  bool down_ = false;
};

/// Postern's log of a scenario: its lines become happenings.
class FlowLog final : public Log {
 public:
  /// Event, what it is about, and the whole line as text.
  using OnLine = std::function<void(std::string_view event, const std::string& sender,
                                    const std::string& recipient, std::string text)>;
  explicit FlowLog(OnLine on_line) : on_line_(std::move(on_line)) {}
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override;
  void raw(Severity, std::string_view) override {}

 private:
  OnLine on_line_;
};

/// One server of a flow, whatever it is made of.
class FlowServer {
 public:
  /// `flow` and `host` outlive it.
  FlowServer(Flow& flow, const ScenarioServer& scenario, io::SimHost& host, const io::World& world);
  ~FlowServer();
  FlowServer(const FlowServer&) = delete;
  FlowServer& operator=(const FlowServer&) = delete;

  io::Task<> start();
  [[nodiscard]] const Result<>& started() const { return started_; }
  /// Whether it is responsible for nothing.
  [[nodiscard]] bool is_quiet() const;
  FlowResolver& resolver() { return resolver_; }
  /// An attempt has ended: what a Postern's ledger keeps of it becomes a part of the history.
  void look_at_ledger();
  [[nodiscard]] const ScenarioServer& scenario() const { return scenario_; }

 private:
  void build();
  [[nodiscard]] server::ServerOptions postern_options() const;
  [[nodiscard]] ProfileServerOptions profile_options() const;
  io::Task<Result<>> start_postern();
  io::Task<> read_ledger();
  void keep(const Letter& letter);

  Flow& flow_;
  const ScenarioServer& scenario_;
  io::SimHost& host_;
  io::World world_;
  FlowResolver resolver_;
  FlowLog log_;
  queue::MemoryStore store_;
  std::unique_ptr<server::Server> postern_;
  std::unique_ptr<ProfileServer> profile_;
  std::unique_ptr<MailboxServer> mailboxes_;
  Result<> started_;
  bool reading_ledger_ = false;
  bool ledger_changed_ = false;
};

}  // namespace postern::lab
