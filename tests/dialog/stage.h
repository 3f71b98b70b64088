#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delivery/prober.h"
#include "delivery/testing/sink.h"
#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"
#include "policy/recipient_check.h"
#include "policy/unknown_ip.h"
#include "queue/memory_store.h"
#include "queue/queue.h"
#include "script.h"
#include "server/breaker_alerts.h"
#include "server/recipient_probe_port.h"
#include "session/smtp_server.h"

namespace postern::dialog {

/// Keeps log lines as "event key=value key=value".
class KeptLog final : public Log {
 public:
  struct Entry {
    Severity severity = Severity::info;
    std::string text;
  };
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override;
  void raw(Severity severity, std::string_view text) override {
    entries.push_back({severity, std::string(text)});
  }
  std::vector<Entry> entries;
};

/// One dialog's world: a gateway, its zone, its queue, a next hop that is only asked about
/// recipients, and a host of clients. Plays the script and
/// gathers what went otherwise than written.
class Stage {
 public:
  explicit Stage(Script script);

  /// Everything that went wrong, one line each; empty: the dialog holds.
  std::vector<std::string> play();

 private:
  struct Connection {
    std::unique_ptr<io::Stream> stream;
    std::string input;
    bool ended = false;
  };

  static delivery::DeliveryOptions probing();
  void configure(const Line& line);
  bool configure_unknown_ip(std::string_view key, const std::string& value);
  bool configure_proxies(const std::string& key, const std::string& value);
  bool configure_breaker(std::string_view key, const std::string& value);
  bool configure_recipients(std::string_view path, const std::string& value);
  io::Task<> start();
  io::Task<> play_lines();
  io::Task<> play_line(const Line& line);
  io::Task<> connect(const Line& line);
  io::Task<> expect_line(const Line& line);
  io::Task<> expect_end(const Line& line);
  io::Task<> expect_messages(const Line& line);
  io::Task<bool> fill(Connection& connection, Duration patience);
  io::Task<> settle();
  io::Task<> stop();
  io::Task<> drain();
  void set_hop(const Line& line);
  void expect_log(const Line& line);
  void expect_query(const Line& line);
  void check_leftovers();
  void fail(const Line& line, std::string what);

  Script script_;
  std::vector<std::string> failures_;
  KeptLog log_;
  queue::MemoryStore store_;
  std::shared_ptr<session::Options> options_ = std::make_shared<session::Options>();
  policy::UnknownIpOptions unknown_ip_options_;
  policy::RecipientOptions recipient_options_;
  io::SimWorld sim_{1};
  io::SimHost& gateway_;
  io::SimHost& clients_;
  io::SimHost& hop_host_;
  io::World world_;
  dns::ZoneResolver resolver_;
  policy::UnknownIpCheck check_;
  delivery::testing::Sink hop_;
  std::map<std::string, std::string> hop_replies_;  // by the start of the command
  delivery::Prober prober_;
  server::RecipientProbePort probe_;
  policy::RecipientCheck recipients_;
  queue::Queue queue_;
  server::BreakerAlerts breaker_alerts_;
  session::SmtpServer server_;
  Connection* current_ = nullptr;
  std::map<std::string, Connection> connections_;
  std::vector<dns::LookupRecord> lookups_;
  std::string messages_;
  bool stopped_ = false;
};

}  // namespace postern::dialog
