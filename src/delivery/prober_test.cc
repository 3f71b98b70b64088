#include "delivery/prober.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/testing/flow.h"
#include "delivery/testing/sink.h"

namespace postern::delivery::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

smtp::ClientOutcome outcome(const std::string& reply,
                            smtp::ClientStage stage = smtp::ClientStage::rcpt) {
  smtp::ClientOutcome made;
  made.reply = *smtp::Reply::parse_line(reply);
  made.stage = stage;
  made.from_peer = true;
  made.verdict = made.reply.is_permanent()   ? smtp::ClientVerdict::permanent
                 : made.reply.is_temporary() ? smtp::ClientVerdict::temporary
                                             : smtp::ClientVerdict::delivered;
  return made;
}

TEST(ProbeVerdict, OnlyARefusalOfTheRecipientItselfIsUnknown) {
  using enum ProbeVerdict;
  struct Case {
    const char* reply;
    ProbeVerdict verdict;
  };
  const Case cases[] = {
      {"250 2.1.5 ok", exists},
      {"251 2.1.5 will forward", exists},
      {"252 2.1.5 cannot verify, will try", exists},
      {"550 5.1.1 no such user", unknown},
      {"550 no such user", unknown},
      {"551 5.1.6 moved", unknown},
      {"551 try elsewhere", unknown},
      {"553 mailbox name not allowed", unknown},
      {"554 5.1.1 no such user", unknown},
      {"554 5.1.10 RecipientNotFound", unknown},
      {"550 5.0.0 no", unknown},
      {"550 5.2.1 mailbox disabled", unknown},
      {"550 5.4.1 Recipient address rejected: Access denied", unknown},
      {"556 5.1.10 domain takes no mail", unknown},
      {"550 4.1.1 a class that does not fit says nothing", unknown},
      {"552 5.2.2 mailbox full", undecided},
      {"552 5.1.1 whatever it says", undecided},
      {"550 5.2.2 mailbox full", undecided},
      {"550 5.2.3 too long", undecided},
      {"452 4.2.2 mailbox full", undecided},
      {"452 4.5.3 too many", undecided},
      {"450 4.2.0 greylisted", undecided},
      {"451 4.3.0 error", undecided},
      {"550 5.7.1 relaying denied", undecided},
      {"550 5.7.25 you have no reverse name", undecided},
      {"550 5.1.8 bad sender", undecided},
      {"550 5.1.7 bad sender", undecided},
      {"554 5.4.6 loop", undecided},
      {"554 refused", undecided},
      {"503 5.5.1 MAIL first", undecided},
      {"530 5.7.0 authenticate first", undecided},
  };
  for (const Case& c : cases)
    EXPECT_EQ(verdict_name(probe_verdict(outcome(c.reply))), verdict_name(c.verdict)) << c.reply;
  for (const auto stage : {smtp::ClientStage::mail, smtp::ClientStage::rset})
    EXPECT_EQ(probe_verdict(outcome("550 5.1.1 no", stage)), undecided);
  auto ours = outcome("553 5.1.3 cannot be sent");
  ours.from_peer = false;
  EXPECT_EQ(probe_verdict(ours), undecided);
}

constexpr const char* zone =
    "example.com MX 10 mx1.example.com\nexample.com MX 20 mx2.example.com\n"
    "mx1.example.com A 198.51.100.1\nmx2.example.com A 198.51.100.2\n"
    "nomail.example MX 0 .\nbroken.example SERVFAIL\n";

/// A prober with sinks as next hops, in virtual time.
class ProberTest : public ::testing::Test {
 protected:
  ProberTest() { start({}); }
  ~ProberTest() override {
    stop();
    for (auto& sink : sinks_) EXPECT_TRUE(sim_.run_task(*sink.host, sink.sink->stop()));
  }

  void start(DeliveryOptions options) {
    stop();
    options.hostname = "gw.example.net";
    prober_ = std::make_unique<Prober>(world_, resolver_, nullptr, log_, options);
  }
  void stop() {
    if (prober_) EXPECT_TRUE(sim_.run_task(gateway_, prober_->stop()));
    prober_.reset();
  }
  Sink& sink(const std::string& address, std::uint16_t port = 25) {
    io::SimHost& host = sim_.add_host(address, *IpAddress::parse(address));
    sinks_.push_back(
        {&host, std::make_unique<Sink>(host.world(), Endpoint{*IpAddress::parse(address), port})});
    sinks_.back().sink->start();
    return *sinks_.back().sink;
  }
  static io::Task<> probe_into(Prober* prober, mail::Mailbox mailbox, ProbeResult* result) {
    *result = co_await prober->probe(std::move(mailbox));
  }
  /// "unknown 550 5.1.1 no such user"
  std::string probe(std::string_view address) {
    ProbeResult result;
    const SteadyTime begun = sim_.now();
    EXPECT_TRUE(
        sim_.run_task(gateway_, probe_into(prober_.get(), *mail::parse_mailbox(address), &result)));
    took_ = sim_.now() - begun;
    return text(result);
  }
  static std::string text(const ProbeResult& result) {
    return fmt::format("{} {}", verdict_name(result.verdict), result.outcome.reply);
  }
  std::vector<ProbeResult>& probe_at_once(std::size_t count) {
    results_.assign(count, {});
    for (std::size_t i = 0; i < count; ++i)
      gateway_.spawn("client", probe_into(prober_.get(), {fmt::format("u{}", i), "example.com"},
                                          &results_[i]));
    return results_;
  }
  void pass(Duration time) { EXPECT_TRUE(sim_.run_for(time)); }
  void rule(const char* address, io::ConnectRule rule) {
    sim_.network().set_connect_rule(*IpAddress::parse(address), rule);
  }

  struct Place {
    io::SimHost* host;
    std::unique_ptr<Sink> sink;
  };
  io::SimWorld sim_{7};
  io::SimHost& gateway_ = sim_.add_host("gw", *IpAddress::parse("192.0.2.10"));
  io::World world_ = gateway_.world();
  dns::ZoneResolver resolver_{world_.clock, *dns::Zone::parse(zone)};
  KeepLog log_;
  std::vector<Place> sinks_;
  std::vector<ProbeResult> results_;
  std::unique_ptr<Prober> prober_;
  Duration took_{};
};

TEST_F(ProberTest, AsksWithoutAMessage) {
  Sink& mx = sink("198.51.100.1");
  mx.script = answers("RCPT TO:<carol@", "550 5.1.1 no such user");
  EXPECT_EQ(probe("Bob@Example.com"), "exists 250 2.0.0 ok");
  EXPECT_EQ(probe("carol@example.com"), "unknown 550 5.1.1 no such user");
  EXPECT_EQ(prober_->connections(), 1U) << "kept for more";
  pass(3s);
  EXPECT_EQ(prober_->connections(), 0U);
  EXPECT_THAT(mx.commands,
              ElementsAre("EHLO gw.example.net", "MAIL FROM:<>", "RCPT TO:<Bob@Example.com>",
                          "RSET", "MAIL FROM:<>", "RCPT TO:<carol@example.com>", "QUIT"));
  EXPECT_EQ(mx.connections, 1U);
  EXPECT_THAT(log_.lines,
              ElementsAre(HasSubstr("probe domain=example.com recipient=Bob@Example.com "
                                    "verdict=exists remote=mx1.example.com [198.51.100.1]:25 "
                                    "reply=250 2.0.0 ok delay="),
                          HasSubstr("recipient=carol@example.com verdict=unknown")));
}

TEST_F(ProberTest, AsksOverLmtpAndWithASender) {
  DeliveryOptions options;
  options.routes = {*parse_route("example.com", {"lmtp://198.51.100.20:24"})};
  options.probes.sender = "probe@gw.example.net";
  start(options);
  Sink& box = sink("198.51.100.20", 24);
  box.lmtp = true;
  box.script = answers("RCPT", "550 5.1.1 User doesn't exist");
  EXPECT_EQ(probe("bob@example.com"), "unknown 550 5.1.1 User doesn't exist");
  EXPECT_THAT(box.commands, ElementsAre("LHLO gw.example.net", "MAIL FROM:<probe@gw.example.net>",
                                        "RCPT TO:<bob@example.com>"));
  EXPECT_TRUE(resolver_.take_lookups().empty());
}

TEST_F(ProberTest, OneHostIsDownAndTheOtherAnswers) {
  for (const auto how : {io::ConnectRule::refuse, io::ConnectRule::hang}) {
    rule("198.51.100.1", how);
    if (sinks_.empty()) sink("198.51.100.2");
    EXPECT_EQ(probe("bob@example.com"), "exists 250 2.0.0 ok");
    EXPECT_LE(took_, 4s) << "while a client waits";
    pass(1min);
  }
}

TEST_F(ProberTest, ADestinationThatIsDownIsNotAskedAgainAtOnce) {
  rule("198.51.100.1", io::ConnectRule::refuse);
  rule("198.51.100.2", io::ConnectRule::refuse);
  EXPECT_THAT(probe("bob@example.com"),
              StartsWith("undecided mx1.example.com [198.51.100.1]:25: "));
  resolver_.take_lookups();
  EXPECT_THAT(probe("carol@example.com"), StartsWith("undecided mx1.example.com"));
  EXPECT_TRUE(resolver_.take_lookups().empty());
  EXPECT_EQ(log_.lines.size(), 1U);
  Sink& mx = sink("198.51.100.1");
  rule("198.51.100.1", io::ConnectRule::allow);
  pass(29s);
  EXPECT_THAT(probe("carol@example.com"), StartsWith("undecided"));
  EXPECT_EQ(mx.connections, 0U);
  pass(2s);
  EXPECT_EQ(probe("carol@example.com"), "exists 250 2.0.0 ok");
  EXPECT_EQ(probe("bob@example.com"), "exists 250 2.0.0 ok");
}

TEST_F(ProberTest, ARefusalOfTheSessionOrTheSenderSaysNothingOfTheRecipient) {
  struct Case {
    const char* step;
    const char* reply;
  };
  const Case cases[] = {
      {"<greeting>", "554 5.7.1 go away"},
      {"<greeting>", "521 no mail here"},
      {"<greeting>", "421 busy"},
      {"EHLO", "451 4.7.1 not you"},
      {"MAIL", "550 5.1.1 no"},
      {"MAIL", "451 4.3.0 later"},
      {"MAIL", "421 4.3.2 going down"},
      {"RCPT", "421 4.3.2 going down"},
      {"RCPT", "<close>"},
      {"MAIL", "nonsense"},
  };
  Sink& first = sink("198.51.100.1");
  sink("198.51.100.2").script = answers("<greeting>", "<close>");
  for (const Case& c : cases) {
    pass(1min);
    log_.lines.clear();
    const std::size_t before = first.connections;
    first.script = answers(c.step, c.reply);
    EXPECT_THAT(probe("bob@example.com"), StartsWith("undecided")) << c.step << " " << c.reply;
    EXPECT_EQ(first.connections, before + 1);
    EXPECT_THAT(probe("carol@example.com"), StartsWith("undecided"));
    EXPECT_EQ(first.connections, before + 1) << "no storm: " << c.step << " " << c.reply;
    EXPECT_EQ(log_.count("probe domain="), 1U);
  }
  pass(1min);
  first.script = answers("RCPT TO:<bob@", "450 4.2.0 greylisted");
  EXPECT_EQ(probe("bob@example.com"), "undecided 450 4.2.0 greylisted");
  EXPECT_EQ(probe("carol@example.com"), "exists 250 2.0.0 ok") << "that was about bob alone";
}

TEST_F(ProberTest, SilenceEndsInTime) {
  Sink& mx = sink("198.51.100.1");
  mx.script = answers("RCPT TO:<bob@", "<hang>");
  EXPECT_THAT(probe("bob@example.com"), StartsWith("undecided no answer in"));
  EXPECT_EQ(took_, 30s);
  pass(1s);
  EXPECT_THAT(probe("carol@example.com"), StartsWith("undecided no answer in 30s"));
  pass(31s);
  EXPECT_EQ(probe("carol@example.com"), "exists 250 2.0.0 ok");
  EXPECT_EQ(log_.count("verdict=undecided"), 1U);
}

TEST_F(ProberTest, WhatTheDnsSays) {
  EXPECT_THAT(probe("bob@nomail.example"), HasSubstr("undecided the domain nomail.example"));
  EXPECT_THAT(probe("bob@nowhere.example"), HasSubstr("undecided the domain nowhere.example"));
  EXPECT_THAT(probe("bob@broken.example"), HasSubstr("did not complete"));
}

TEST_F(ProberTest, QuestionsOfOneDestinationShareFewConnections) {
  Sink& mx = sink("198.51.100.1");
  sim_.network().faults.latency_min = sim_.network().faults.latency_max = 20ms;
  mx.script = answers("RCPT TO:<u7@", "550 5.1.1 no");
  auto& results = probe_at_once(60);
  pass(20s);
  for (std::size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(text(results[i]), i == 7 ? "unknown 550 5.1.1 no" : "exists 250 2.0.0 ok") << i;
  EXPECT_EQ(mx.connections_most, 4U);
  EXPECT_EQ(mx.connections, 4U);
  EXPECT_THAT(mx.commands, Not(Contains(StartsWith("DATA"))));
}

TEST_F(ProberTest, ManyQuestionsWaitOnlyUpToABound) {
  Sink& mx = sink("198.51.100.1");
  mx.script = answers("<greeting>", "<hang>");
  sink("198.51.100.2").script = answers("<greeting>", "<hang>");
  const auto& results = probe_at_once(300);
  pass(1s);
  std::size_t bounded = 0;
  for (const ProbeResult& result : results)
    bounded += result.outcome.reply.starts_with("too many recipients") ? 1 : 0;
  EXPECT_EQ(bounded, 200U);
  pass(40s);
  EXPECT_EQ(mx.connections_most, 4U);
  for (const ProbeResult& result : results) EXPECT_NE(result.outcome.reply, "");
}

TEST_F(ProberTest, DestinationsShareTheHouse) {
  DeliveryOptions options;
  options.probes.connections_max = 1;
  options.routes = {*parse_route("example.com", {"smtp://198.51.100.20"}),
                    *parse_route("example.org", {"smtp://198.51.100.21"})};
  start(options);
  sink("198.51.100.20");
  sink("198.51.100.21");
  EXPECT_EQ(probe("bob@example.com"), "exists 250 2.0.0 ok");
  EXPECT_EQ(probe("bob@example.org"), "undecided too many destinations are being asked");
  pass(3s);
  EXPECT_EQ(probe("bob@example.org"), "exists 250 2.0.0 ok");
}

TEST_F(ProberTest, AnIdleConnectionThatTheServerClosedIsNoFailure) {
  Sink& mx = sink("198.51.100.1");
  EXPECT_EQ(probe("bob@example.com"), "exists 250 2.0.0 ok");
  sim_.network().reset_connections(*IpAddress::parse("198.51.100.1"));
  EXPECT_EQ(probe("carol@example.com"), "exists 250 2.0.0 ok");
  EXPECT_EQ(mx.connections, 2U);
}

TEST_F(ProberTest, AReloadForgetsFailures) {
  rule("198.51.100.1", io::ConnectRule::refuse);
  rule("198.51.100.2", io::ConnectRule::refuse);
  EXPECT_THAT(probe("bob@example.com"), StartsWith("undecided"));
  sink("198.51.100.20");
  DeliveryOptions options;
  options.hostname = "gw.example.net";
  options.routes = {*parse_route("example.com", {"smtp://198.51.100.20"})};
  prober_->set_options(options);
  EXPECT_EQ(probe("bob@example.com"), "exists 250 2.0.0 ok");
}

TEST_F(ProberTest, StopEndsWhatIsUnderWay) {
  sink("198.51.100.1").script = answers("RCPT", "<hang>");
  const auto& results = probe_at_once(6);
  pass(1s);
  prober_->cease();
  pass(0s);
  for (const ProbeResult& result : results) {
    EXPECT_EQ(result.verdict, ProbeVerdict::undecided);
    EXPECT_NE(result.outcome.reply, "");
  }
  EXPECT_EQ(probe("bob@example.com"), "undecided we are shutting down");
  const SteadyTime begun = sim_.now();
  stop();
  EXPECT_LE(sim_.now() - begun, 1s);
  EXPECT_TRUE(log_.lines.empty());
}

}  // namespace
}  // namespace postern::delivery::testing
