#pragma once

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delivery/dispatcher.h"
#include "delivery/testing/sink.h"
#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"
#include "queue/administration.h"
#include "queue/memory_store.h"

namespace postern::delivery::testing {

/// Keeps lines as "event key=value ...".
class KeepLog final : public Log {
 public:
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override {
    std::string text(event);
    for (const LogField& field : fields)
      if (const auto* value = std::get_if<std::string_view>(&field.value))
        text += " " + std::string(field.key) + "=" + std::string(*value);
    if (severity == Severity::error) errors.push_back(text);
    lines.push_back(std::move(text));
  }
  void raw(Severity, std::string_view) override {}
  [[nodiscard]] std::size_t count(std::string_view what) const {
    std::size_t n = 0;
    for (const std::string& text : lines) n += text.contains(what) ? 1 : 0;
    return n;
  }
  std::vector<std::string> lines;
  std::vector<std::string> errors;
};

/// One gateway's queue and dispatcher in virtual time, with sinks as next hops.
class Flow {
 public:
  explicit Flow(const std::string& zone, DeliveryOptions given = {},
                TlsClient* tls_client = nullptr)
      : options(std::move(given)),
        gateway(sim.add_host("gw", *IpAddress::parse("192.0.2.10"))),
        world(gateway.world()),
        resolver(world.clock, *dns::Zone::parse(zone)),
        tls(tls_client) {
    options.hostname = "gw.example.net";
    routes = RouteTable(options.routes);
    queue::QueueOptions queue_options;
    queue_options.destination_of = [this](std::string_view domain) {
      return routes.destination_of(domain);
    };
    mail_queue = std::make_unique<queue::Queue>(world, store, log, queue_options);
    dispatcher = std::make_unique<Dispatcher>(world, *mail_queue, resolver, tls, log, options);
    EXPECT_TRUE(sim.run_task(gateway, recover()));
    dispatcher->start();
  }
  ~Flow() {
    EXPECT_TRUE(sim.run_task(gateway, end()));
    for (auto& [name, place] : sinks_) EXPECT_TRUE(sim.run_task(*place.host, place.sink->stop()));
  }

  Sink& sink(const std::string& address, std::uint16_t port = 25) {
    const std::string key = address + ":" + std::to_string(port);
    if (!sinks_.contains(key)) {
      auto& host = hosts_[address];
      if (host == nullptr) host = &sim.add_host(address, *IpAddress::parse(address));
      auto made = std::make_unique<Sink>(host->world(), Endpoint{*IpAddress::parse(address), port});
      made->start();
      sinks_.emplace(key, Place{host, std::move(made)});
    }
    return *sinks_.at(key).sink;
  }

  void submit(std::string from, const std::vector<std::string>& to,
              std::string content = "Subject: hello\r\n\r\nHello\r\n") {
    mail::Envelope envelope;
    envelope.reverse_path = std::move(from);
    for (const std::string& address : to) {
      mail::Recipient recipient;
      recipient.address = address;
      envelope.recipients.push_back(std::move(recipient));
    }
    submit(std::move(envelope), std::move(content));
  }
  void submit(mail::Envelope envelope, std::string content = "Subject: hello\r\n\r\nHello\r\n") {
    EXPECT_TRUE(sim.run_task(gateway, put(std::move(envelope), std::move(content))));
  }
  void run(Duration time) { EXPECT_TRUE(sim.run_for(time)); }
  [[nodiscard]] std::uint64_t queued() const { return mail_queue->counts().messages; }
  [[nodiscard]] std::uint64_t dead_letters() const { return mail_queue->counts().dead_letters; }
  void retry_dead_letters() { EXPECT_TRUE(sim.run_task(gateway, revive())); }
  /// All that is queued.
  void remove_all_with_report(const std::string& reason) {
    EXPECT_TRUE(sim.run_task(gateway, remove_all(reason)));
  }

  io::SimWorld sim{7};
  DeliveryOptions options;
  RouteTable routes;
  KeepLog log;
  queue::MemoryStore store;
  io::SimHost& gateway;
  io::World world;
  dns::ZoneResolver resolver;
  TlsClient* tls;
  std::unique_ptr<queue::Queue> mail_queue;
  std::unique_ptr<Dispatcher> dispatcher;
  queue::MessageId last_id;  ///< of what was submitted last

 private:
  struct Place {
    io::SimHost* host;
    std::unique_ptr<Sink> sink;
  };
  io::Task<> recover() {
    const auto recovered = co_await mail_queue->recover();
    EXPECT_TRUE(recovered);
  }
  io::Task<> put(mail::Envelope envelope, std::string content) {
    queue::Provenance provenance;
    provenance.helo = "client.example.org";
    provenance.arrived = world.clock.wall_now();
    auto intake = mail_queue->begin(std::move(envelope), std::move(provenance));
    CHECK(intake);
    CHECK(co_await (*intake)->append(content));
    last_id = (*intake)->id();
    CHECK(co_await (*intake)->commit());
  }
  io::Task<> revive() {
    queue::Walk walk;
    walk.box = queue::Box::dead;
    EXPECT_TRUE(co_await queue::Administration(*mail_queue).act(queue::Command::retry, walk));
  }
  io::Task<> remove_all(std::string reason) {
    queue::Administration administration(*mail_queue);
    const auto listed = co_await administration.list({});
    CHECK(listed);
    for (const queue::Summary& message : listed->messages) {
      auto lease = co_await administration.lease_all(message.id);
      CHECK(lease);
      co_await dispatcher->remove_with_report(*std::move(lease), reason);
    }
  }
  io::Task<> end() {
    co_await dispatcher->stop(world.clock.in(std::chrono::seconds(5)));
    co_await mail_queue->drain();
  }

  std::map<std::string, io::SimHost*> hosts_;
  std::map<std::string, Place> sinks_;
};

}  // namespace postern::delivery::testing
