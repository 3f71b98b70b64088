#include "session/smtp_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"
#include "net/self_signed.h"
#include "net/tls_stream.h"
#include "queue/memory_store.h"
#include "session/tls.h"

namespace postern::session {
namespace {

const Endpoint server_endpoint = *Endpoint::parse("198.51.100.25:25");

/// A listener whose first accepts fail, as they do when descriptors run out.
class FailingListener final : public io::Listener {
 public:
  FailingListener(std::unique_ptr<io::Listener> below, int failures)
      : below_(std::move(below)), failures_(failures) {}
  io::Task<Result<std::unique_ptr<io::Stream>>> accept() override {
    if (failures_-- > 0) co_return our_failure(Cause::limit, "too many open files");
    co_return co_await below_->accept();
  }
  void close() override { below_->close(); }
  [[nodiscard]] Endpoint local() const override { return below_->local(); }

 private:
  std::unique_ptr<io::Listener> below_;
  int failures_;
};

class FailingNetwork final : public io::Network {
 public:
  FailingNetwork(io::Network& below, int failures) : below_(below), failures_(failures) {}
  Result<std::unique_ptr<io::Listener>> listen(Endpoint at) override {
    TRY(auto listener, below_.listen(at));
    return std::make_unique<FailingListener>(std::move(listener), failures_);
  }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect(Endpoint to, io::Deadline deadline,
                                                        const IpAddress* from) override {
    return below_.connect(to, deadline, from);
  }
  Result<std::unique_ptr<io::Listener>> listen_local(std::string path) override {
    return below_.listen_local(std::move(path));
  }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect_local(std::string path,
                                                              io::Deadline deadline) override {
    return below_.connect_local(std::move(path), deadline);
  }

 private:
  io::Network& below_;
  int failures_;
};

class CountingLog final : public Log {
 public:
  void line(Severity, std::string_view event, std::initializer_list<LogField>) override {
    events.emplace_back(event);
  }
  void raw(Severity, std::string_view) override {}
  std::vector<std::string> events;
};

class KeptRefusals final : public ledger::Recorder {
 public:
  std::uint64_t begin_message() override { return 1; }
  void refused(ledger::Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  void accepted(ledger::Acceptance) override {}
  std::vector<ledger::Refusal> refusals;
};

/// A server on one simulated host and clients on another.
struct Bed {
  explicit Bed(int accept_failures = 0)
      : network(gateway.world().network, accept_failures), options(std::make_shared<Options>()) {
    options->smtp.hostname = "gw.example.com";
    options->relay.domains = {"ours.example"};
    policy::UnknownIpOptions off;
    off.mode = policy::UnknownIpMode::off;
    check.set_options(off);
  }

  io::Task<> start() {
    EXPECT_TRUE(co_await queue.recover());
    EXPECT_TRUE(server.listen(server_endpoint));
  }
  io::Task<> stop() {
    co_await server.stop(world.clock.in(seconds(10)));
    resolver.stop();
    co_await check.stop();
    co_await queue.drain();
  }
  io::Task<> talk_to(std::string input, std::string* output) {
    io::World client_world = clients.world();
    auto stream =
        co_await client_world.network.connect(server_endpoint, client_world.clock.in(seconds(60)));
    if (!stream) co_return;
    co_await exchange(**stream, std::move(input), output);
  }
  /// The same of a client who does not wait for the greeting, as a proxy.
  io::Task<> begin_with(std::string input, std::string* output) {
    io::World client_world = clients.world();
    const io::Deadline deadline = client_world.clock.in(seconds(60));
    auto stream = co_await client_world.network.connect(server_endpoint, deadline);
    if (!stream) co_return;
    (void)co_await (*stream)->write_all(input, deadline);
    co_await read_to_end(**stream, output);
  }
  /// Sends all and reads to the end.
  io::Task<> exchange(io::Stream& stream, std::string input, std::string* output) {
    const io::Deadline deadline = clients.world().clock.in(std::chrono::minutes(20));
    std::array<char, 1000> buffer;
    auto greeting = co_await stream.read_some(buffer, deadline);
    if (greeting) output->append(buffer.data(), *greeting);
    (void)co_await stream.write_all(input, deadline);
    co_await read_to_end(stream, output);
  }
  io::Task<> read_to_end(io::Stream& stream, std::string* output) {
    const io::Deadline deadline = clients.world().clock.in(std::chrono::minutes(20));
    std::array<char, 1000> buffer;
    while (true) {
      const auto count = co_await stream.read_some(buffer, deadline);
      if (!count || *count == 0) break;
      output->append(buffer.data(), *count);
    }
  }

  io::SimWorld sim{7};
  io::SimHost& gateway = sim.add_host("gateway", server_endpoint.address);
  io::SimHost& clients = sim.add_host("clients", *IpAddress::parse("192.0.2.7"));
  FailingNetwork network;
  io::World world{
      gateway.world().executor,     gateway.world().clock,        network,
      gateway.world().disk,         gateway.world().store_worker, gateway.world().entropy,
      gateway.world().ledger_worker};
  dns::ZoneResolver resolver{world.clock, {}};
  policy::UnknownIpCheck check{world, resolver, {}};
  policy::RecipientCheck recipients{world, nullptr, {}};
  queue::MemoryStore store;
  CountingLog log;
  queue::Queue queue{world, store, log, {}};
  std::shared_ptr<Options> options;
  KeptRefusals recorder;
  SmtpServer server{world, {queue, check, recipients, log, &recorder}, options};
};

TEST(SmtpServer, SurvivesRunningOutOfDescriptors) {
  Bed bed(50);
  std::string output;
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.talk_to("QUIT\r\n", &output)));
  EXPECT_EQ(output,
            "220 gw.example.com ESMTP Postern\r\n221 2.0.0 gw.example.com closing connection\r\n");
  // Fifty failures a tenth of a second apart, told at most once a second.
  const auto told = std::ranges::count(bed.log.events, "accept_failed");
  EXPECT_GE(told, 1);
  EXPECT_LE(told, 6);
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
}

TEST(SmtpServer, CountsItsSessionsDown) {
  Bed bed;
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  for (int i = 0; i < 300; ++i) {
    std::string output;
    ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.talk_to("QUIT\r\n", &output)));
    ASSERT_TRUE(output.ends_with("closing connection\r\n")) << i << ": " << output;
  }
  EXPECT_EQ(bed.server.counts().accepted, 300U);
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
  EXPECT_EQ(bed.server.counts().sessions, 0U);
  EXPECT_EQ(bed.server.counts().turned_away, 0U);
}

TEST(SmtpServer, LogsAFloodOfTurnedAwayClientsWithinBounds) {
  Bed bed;
  bed.options->sessions_max = 0;
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  const SteadyTime begin = bed.sim.now();
  for (int i = 0; i < 200; ++i) {
    std::string output;
    ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.talk_to("", &output)));
    EXPECT_EQ(output, "421 4.3.2 gw.example.com too many connections, try again later\r\n");
  }
  const auto took = std::chrono::duration_cast<seconds>(bed.sim.now() - begin).count();
  EXPECT_EQ(bed.server.counts().turned_away, 200U);
  EXPECT_LE(std::ranges::count(bed.log.events, "busy"), took + 1);
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
}

TEST(SmtpServer, LogsAFloodBehindAProxyWithinBounds) {
  struct Case {
    std::string_view input;
    std::string_view event;
    std::string_view output;
    std::uint64_t turned_away;
  };
  const Case cases[] = {
      {"PROXY TCP4 192.0.2.99 198.51.100.25 4711 25\r\n", "busy",
       "421 4.3.2 gw.example.com too many connections from your address, try again later\r\n", 200},
      {"EHLO c.example\r\n", "no_proxy_header", "", 0},
  };
  for (const Case& c : cases) {
    Bed bed;
    bed.options->proxies.proxy_protocol = {*IpNetwork::parse("192.0.2.7")};
    bed.options->sessions_per_client_max = 0;
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
    const SteadyTime begin = bed.sim.now();
    for (int i = 0; i < 200; ++i) {
      std::string output;
      ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.begin_with(std::string(c.input), &output)));
      EXPECT_EQ(output, c.output);
    }
    const auto took = std::chrono::duration_cast<seconds>(bed.sim.now() - begin).count();
    EXPECT_EQ(bed.server.counts().turned_away, c.turned_away) << c.event;
    EXPECT_LE(std::ranges::count(bed.log.events, c.event), took + 1) << c.event;
    EXPECT_GE(std::ranges::count(bed.log.events, c.event), 1) << c.event;
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
  }
}

/// Every counter of decisions that is not 0: "enforce rcpt no_ptr 450 2".
std::vector<std::string> decisions(const Metrics& metrics) {
  std::vector<std::string> lines;
  const auto add = [&lines](std::string_view mode, const auto& by_step) {
    for (std::uint8_t step = 0; step < by_step.size; ++step)
      for (std::uint8_t state = 0; state < Metrics::Decisions::size; ++state)
        for (std::uint8_t action = 0; action < 5; ++action) {
          const auto at = static_cast<DecidedAt>(step);
          const auto found = static_cast<policy::UnknownIpState>(state);
          const auto done = static_cast<policy::Action>(action);
          if (const auto count = by_step[at][found][done].value(); count > 0)
            lines.push_back(fmt::format("{} {} {} {} {}", mode, decided_at_name(at),
                                        policy::state_name(found), policy::action_name(done),
                                        count));
        }
  };
  add("enforce", metrics.enforced);
  add("observe", metrics.observed);
  return lines;
}

const std::string two_recipients =
    "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@ours.example>\r\n"
    "RCPT TO:<d@ours.example>\r\n";

TEST(SmtpServer, CountsDecisionsWhereTheyAreAnswered) {
  using policy::AnswerAt;
  using policy::UnknownIpMode;
  struct Case {
    UnknownIpMode mode;
    AnswerAt step;
    std::string line;
  };
  const Case cases[] = {
      {UnknownIpMode::enforce, AnswerAt::connect, "enforce connect no_ptr 450 1"},
      {UnknownIpMode::enforce, AnswerAt::ehlo, "enforce ehlo no_ptr 450 1"},
      {UnknownIpMode::enforce, AnswerAt::mail, "enforce mail no_ptr 450 1"},
      {UnknownIpMode::enforce, AnswerAt::rcpt, "enforce rcpt no_ptr 450 2"},
      {UnknownIpMode::observe, AnswerAt::connect, "observe rcpt no_ptr 450 2"},
      {UnknownIpMode::observe, AnswerAt::rcpt, "observe rcpt no_ptr 450 2"},
  };
  for (const Case& c : cases) {
    Bed bed;
    policy::UnknownIpOptions options;
    options.mode = c.mode;
    options.answer_at = c.step;
    bed.check.set_options(options);
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
    std::string output;
    ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.talk_to(two_recipients + "QUIT\r\n", &output)));
    EXPECT_THAT(decisions(bed.server.metrics()), testing::ElementsAre(c.line)) << output;
    const bool refused = c.mode == UnknownIpMode::enforce && c.step == AnswerAt::rcpt;
    EXPECT_EQ(bed.server.metrics().recipients[RecipientResult::unknown_ip].value(),
              refused ? 2U : 0U);
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
  }
}

TEST(SmtpServer, CountsDecisionsAboutTheHostBeforeAKnownHost) {
  using policy::KnownHostsDecide;
  struct Case {
    KnownHostsDecide decide;
    std::string line;
    std::uint64_t refused;
  };
  const Case cases[] = {
      {KnownHostsDecide::refuse, "enforce data no_ptr 450 2", 2},
      {KnownHostsDecide::record, "observe data no_ptr 450 2", 0},
  };
  for (const Case& c : cases) {
    Bed bed;
    policy::UnknownIpOptions options;
    options.mode = policy::UnknownIpMode::enforce;
    options.known_hosts = {*IpNetwork::parse("192.0.2.7")};
    options.known_hosts_decide = c.decide;
    bed.check.set_options(options);
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
    std::string output;
    ASSERT_TRUE(bed.sim.run_task(
        bed.clients,
        bed.talk_to(two_recipients +
                        "DATA\r\nReceived: from h (unknown [192.0.2.9]) by r (Postfix)\r\n.\r\n"
                        "QUIT\r\n",
                    &output)));
    EXPECT_THAT(decisions(bed.server.metrics()), testing::Contains(c.line)) << output;
    EXPECT_EQ(bed.server.metrics().recipients[RecipientResult::unknown_ip].value(), c.refused);
    ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
  }
}

/// What is answered before MAIL knows no sender, though one was named before: by a proxy for
/// somebody else, or in a transaction that another greeting ended.
TEST(SmtpServer, RecordsNoSenderOfBefore) {
  Bed bed;
  bed.options->proxies.xclient = {*IpNetwork::parse("192.0.2.7")};
  policy::UnknownIpOptions options;
  options.mode = policy::UnknownIpMode::enforce;
  options.answer_at = policy::AnswerAt::ehlo;
  policy::Override spared;
  spared.network = IpNetwork::parse("192.0.2.7");
  spared.action = policy::Action::accept;
  spared.comment = "proxy";
  options.overrides = policy::Overrides({spared});
  bed.check.set_options(options);
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  std::string output;
  const std::string transaction = "EHLO p.example\r\nMAIL FROM:<a@b.example>\r\n";
  ASSERT_TRUE(bed.sim.run_task(bed.clients,
                               bed.talk_to(transaction + transaction + "RSET\r\n" +
                                               "XCLIENT ADDR=192.0.2.9 HELO=c.example\r\nQUIT\r\n",
                                           &output)));
  ASSERT_EQ(bed.recorder.refusals.size(), 3U) << output;
  for (const ledger::Refusal& refusal : bed.recorder.refusals) EXPECT_EQ(refusal.sender, "");
  EXPECT_EQ(bed.recorder.refusals[1].effect, ledger::Effect::excused);
  EXPECT_EQ(bed.recorder.refusals[2].client, *IpAddress::parse("192.0.2.9"));
  EXPECT_EQ(bed.recorder.refusals[2].helo, "c.example");
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
}

/// A client that goes through a real handshake in the middle of the session.
struct TlsClient {
  Bed& bed;
  std::string output;

  io::Task<> run() {
    io::World world = bed.clients.world();
    const io::Deadline deadline = world.clock.in(seconds(60));
    auto connected = co_await world.network.connect(server_endpoint, deadline);
    auto stream = *std::move(connected);
    std::array<char, 1000> buffer;
    (void)co_await stream->read_some(buffer, deadline);
    (void)co_await stream->write_all("STARTTLS\r\n", deadline);
    const auto count = co_await stream->read_some(buffer, deadline);
    EXPECT_EQ(std::string_view(buffer.data(), *count), "220 2.0.0 Ready to start TLS\r\n");
    auto context = *net::TlsContext::client();
    net::TlsStream tls(std::move(stream), context);
    EXPECT_TRUE(co_await tls.handshake(deadline));
    (void)co_await tls.write_all(
        "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@ours.example>\r\nDATA\r\n"
        "Subject: secret\r\n.\r\nQUIT\r\n",
        deadline);
    co_await bed.read_to_end(tls, &output);
  }
};

TEST(SmtpServer, TakesMailOverTls) {
  Bed bed;
  const auto pem = *net::make_self_signed("gw.example.com", WallTime(seconds(1'790'000'000)));
  const auto context = std::make_shared<const net::TlsContext>(*net::TlsContext::server(pem));
  bed.server.set_tls(start_tls_with(context));
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  TlsClient client{bed, {}};
  ASSERT_TRUE(bed.sim.run_task(bed.clients, client.run()));
  EXPECT_THAT(client.output, testing::HasSubstr("354 "));
  EXPECT_THAT(client.output, testing::HasSubstr("250 2.0.0 Queued as "));
  EXPECT_THAT(client.output, testing::Not(testing::HasSubstr("STARTTLS")));
  EXPECT_TRUE(client.output.ends_with("closing connection\r\n")) << client.output;
  EXPECT_EQ(bed.queue.counts().messages, 1U);
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
}

TEST(SmtpServer, AHandshakeThatFailsEndsTheSession) {
  Bed bed;
  const auto pem = *net::make_self_signed("gw.example.com", WallTime(seconds(1'790'000'000)));
  const auto context = std::make_shared<const net::TlsContext>(*net::TlsContext::server(pem));
  bed.server.set_tls(start_tls_with(context));
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.start()));
  std::string output;
  ASSERT_TRUE(bed.sim.run_task(bed.clients, bed.talk_to("STARTTLS\r\n", &output)));
  EXPECT_TRUE(output.ends_with("220 2.0.0 Ready to start TLS\r\n")) << output;
  ASSERT_TRUE(bed.sim.run_task(bed.gateway, bed.stop()));
  EXPECT_THAT(bed.log.events, testing::Contains("handshake_failed"));
  EXPECT_EQ(bed.server.counts().sessions, 0U);
}

}  // namespace
}  // namespace postern::session
