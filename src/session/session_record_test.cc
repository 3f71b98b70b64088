// What the ledger is told of a session.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"
#include "queue/memory_store.h"
#include "session/smtp_server.h"

namespace postern::session {
namespace {

using namespace std::chrono_literals;
using ledger::Effect;
using testing::SizeIs;
using upstream::Greeting;

const Endpoint server_endpoint = *Endpoint::parse("198.51.100.25:25");
const IpAddress client = *IpAddress::parse("192.0.2.7");  // has no PTR record

class NoLog final : public Log {
 public:
  void line(Severity, std::string_view, std::initializer_list<LogField>) override {}
  void raw(Severity, std::string_view) override {}
};

class KeepingRecorder final : public ledger::Recorder {
 public:
  std::uint64_t begin_message() override { return ++messages_; }
  void refused(ledger::Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  void accepted(ledger::Acceptance acceptance) override {
    acceptances.push_back(std::move(acceptance));
  }
  std::vector<ledger::Refusal> refusals;
  std::vector<ledger::Acceptance> acceptances;

 private:
  std::uint64_t messages_ = 0;
};

/// A server, and a client that says all it has to say at once.
class SessionRecord : public testing::Test {
 protected:
  SessionRecord() {
    session_.smtp.hostname = "gw.example.com";
    session_.relay.domains = {"ours.example"};
    unknown_ip_.mode = policy::UnknownIpMode::enforce;
  }
  void start() {
    check_.set_options(unknown_ip_);
    server_.emplace(gateway_.world(), Ports{queue_, check_, recipients_, log_, &recorder_},
                    std::make_shared<const Options>(session_));
    ASSERT_TRUE(sim_.run_task(gateway_, begin()));
  }
  void TearDown() override { ASSERT_TRUE(sim_.run_task(gateway_, end())); }
  std::vector<ledger::Refusal> refusals_of(std::string commands) {
    recorder_.refusals.clear();
    EXPECT_TRUE(sim_.run_task(clients_, talk(clients_.world(), std::move(commands) + "QUIT\r\n")));
    return recorder_.refusals;
  }

  static constexpr std::string_view mail =
      "MAIL FROM:<ann@partner.example>\r\nRCPT TO:<bob@ours.example>\r\n";

  io::SimWorld sim_{7};
  io::SimHost& gateway_ = sim_.add_host("gateway", server_endpoint.address);
  io::SimHost& clients_ = sim_.add_host("clients", client);
  dns::ZoneResolver resolver_{gateway_.world().clock, {}};
  policy::UnknownIpOptions unknown_ip_;
  policy::UnknownIpCheck check_{gateway_.world(), resolver_, {}};
  policy::RecipientCheck recipients_{gateway_.world(), nullptr, {}};
  queue::MemoryStore store_;
  NoLog log_;
  queue::Queue queue_{gateway_.world(), store_, log_, {}};
  KeepingRecorder recorder_;
  Options session_;
  std::optional<SmtpServer> server_;

 private:
  io::Task<> begin() {
    EXPECT_TRUE(co_await queue_.recover());
    EXPECT_TRUE(server_->listen(server_endpoint));
  }
  io::Task<> end() {
    co_await server_->stop(gateway_.world().clock.in(seconds(10)));
    resolver_.stop();
    co_await check_.stop();
    co_await queue_.drain();
  }
  static io::Task<> talk(io::World world, std::string commands) {
    const io::Deadline deadline = world.clock.in(20min);
    auto stream = co_await world.network.connect(server_endpoint, deadline);
    if (!stream) co_return;
    std::array<char, 1000> buffer{};
    (void)co_await (*stream)->read_some(buffer, deadline);
    (void)co_await (*stream)->write_all(commands, deadline);
    while (true) {
      const auto count = co_await (*stream)->read_some(buffer, deadline);
      if (!count || *count == 0) break;
    }
  }
};

std::string after_helo(std::string_view commands) {
  return "HELO mail.partner.example\r\n" + std::string(commands);
}

TEST_F(SessionRecord, RecipientsOfOneTransactionAreOneMessage) {
  start();
  const auto told = refusals_of(
      after_helo(std::string(mail) + "RCPT TO:<eve@ours.example>\r\nRSET\r\n" + std::string(mail)));
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_GT(told[0].message, 0U);
  EXPECT_EQ(told[1].message, told[0].message);
  EXPECT_NE(told[2].message, told[0].message);
  EXPECT_EQ(told[0].greeting, Greeting::helo);
  EXPECT_EQ(told[0].via, std::nullopt);
  EXPECT_EQ(told[0].action, "450");
}

TEST_F(SessionRecord, BeforeMailThereIsNoMessage) {
  unknown_ip_.answer_at = policy::AnswerAt::mail;
  start();
  const auto at_mail = refusals_of(after_helo(mail));
  ASSERT_THAT(at_mail, SizeIs(1));
  EXPECT_GT(at_mail[0].message, 0U);
  unknown_ip_.answer_at = policy::AnswerAt::ehlo;
  check_.set_options(unknown_ip_);
  const auto at_ehlo = refusals_of("EHLO mail.partner.example\r\n");
  ASSERT_THAT(at_ehlo, SizeIs(1));
  EXPECT_EQ(at_ehlo[0].message, 0U);
  EXPECT_EQ(at_ehlo[0].greeting, Greeting::ehlo);
}

TEST_F(SessionRecord, ThroughAProxyTheGreetingIsAsTold) {
  session_.proxies.xclient = {*IpNetwork::parse("192.0.2.7")};
  start();
  const auto by = [&](std::string attributes, std::string_view then) {
    return refusals_of("EHLO proxy.example\r\nXCLIENT ADDR=192.0.2.9 " + std::move(attributes) +
                       "\r\n" + std::string(then) + std::string(mail));
  };
  struct Row {
    const char* attributes;
    const char* then;
    Greeting greeting;
  };
  for (const Row& row : {Row{"HELO=h.example", "", Greeting::unknown},
                         {"HELO=h.example PROTO=ESMTP", "", Greeting::ehlo},
                         {"HELO=h.example PROTO=SMTP", "", Greeting::helo},
                         {"HELO=h.example", "EHLO h.example\r\n", Greeting::ehlo},
                         {"PORT=1", "HELO h.example\r\n", Greeting::helo}}) {
    const auto told = by(row.attributes, row.then);
    ASSERT_THAT(told, SizeIs(1)) << row.attributes;
    EXPECT_EQ(told[0].client.text(), "192.0.2.9");
    EXPECT_EQ(told[0].via, client);
    EXPECT_EQ(told[0].helo, "h.example");
    EXPECT_EQ(told[0].greeting, row.greeting) << row.attributes << " " << row.then;
  }
}

TEST_F(SessionRecord, OfTheHostBeforeAKnownHostTheGreetingIsNotKnown) {
  unknown_ip_.known_hosts = {*IpNetwork::parse("192.0.2.7")};
  start();
  const auto told = refusals_of(after_helo(
      std::string(mail) +
      "DATA\r\nReceived: from mail.sender.example (unknown [203.0.113.9])\r\n\tby mx.example "
      "(Postfix) with ESMTP id 4F7KQ2\r\n\tfor <bob@ours.example>; Tue, 24 Nov 2026 03:25:53 "
      "+0000\r\n\r\nhi\r\n.\r\n"));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].client.text(), "203.0.113.9");
  EXPECT_EQ(told[0].via, client);
  EXPECT_EQ(told[0].greeting, Greeting::unknown);
  EXPECT_EQ(told[0].effect, Effect::would_refuse);
  EXPECT_EQ(told[0].observed_because, "known host");
  EXPECT_GT(told[0].message, 0U);
  ASSERT_THAT(recorder_.acceptances, SizeIs(1));
  EXPECT_EQ(recorder_.acceptances[0].greeting, Greeting::unknown);
}

TEST_F(SessionRecord, OneReplyIsForAllRecipientsOfAKnownHostsMessage) {
  unknown_ip_.known_hosts = {*IpNetwork::parse("192.0.2.7")};
  unknown_ip_.known_hosts_decide = policy::KnownHostsDecide::refuse;
  session_.relay.domains.emplace_back("strict.example");
  policy::Override strict;
  strict.recipient_domain = "strict.example";
  strict.action = policy::Action::reply_550;
  unknown_ip_.overrides = policy::Overrides({strict});
  start();
  const auto told = refusals_of(after_helo(
      "MAIL FROM:<ann@partner.example>\r\nRCPT TO:<eve@strict.example>\r\n"
      "RCPT TO:<bob@ours.example>\r\nDATA\r\n"
      "Received: from mail.sender.example (unknown [203.0.113.9])\r\n\tby mx.example "
      "(Postfix) with ESMTP id 4F7KQ2; Tue, 24 Nov 2026 03:25:53 +0000\r\n\r\nhi\r\n.\r\n"));
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].action, "550");
  EXPECT_EQ(told[1].action, "450");
  EXPECT_EQ(told[0].effect, Effect::refused);
  EXPECT_EQ(told[0].reply, told[1].reply) << "temporary for one is temporary for all";
  EXPECT_TRUE(told[0].reply.starts_with("450 "));
}

TEST_F(SessionRecord, WhatDecided) {
  policy::Override excuse;
  excuse.recipient_domain = "ours.example";
  excuse.comment = "ticket 12";
  unknown_ip_.overrides = policy::Overrides({excuse});
  start();
  const auto excused = refusals_of(after_helo(mail));
  ASSERT_THAT(excused, SizeIs(1));
  EXPECT_EQ(excused[0].effect, Effect::excused);
  EXPECT_EQ(excused[0].action, "accept") << "what the override says";
  EXPECT_EQ(excused[0].override_name, "ticket 12");
  EXPECT_EQ(excused[0].observed_because, "");

  excuse.action = policy::Action::reply_550;
  unknown_ip_.overrides = policy::Overrides({excuse});
  unknown_ip_.mode = policy::UnknownIpMode::observe;
  check_.set_options(unknown_ip_);
  const auto observed = refusals_of(after_helo(mail));
  ASSERT_THAT(observed, SizeIs(1));
  EXPECT_EQ(observed[0].effect, Effect::would_refuse);
  EXPECT_EQ(observed[0].action, "550");
  EXPECT_EQ(observed[0].override_name, "ticket 12");
  EXPECT_EQ(observed[0].observed_because, "observe");
}

TEST_F(SessionRecord, AnEscalationIsNoOverride) {
  unknown_ip_.escalation = {.enabled = true, .after_attempts = 2, .after = 10min};
  start();
  EXPECT_EQ(refusals_of(after_helo(mail)).at(0).action, "450");
  ASSERT_TRUE(sim_.run_for(11min));
  const auto told = refusals_of(after_helo(mail));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].action, "550");
  EXPECT_TRUE(told[0].escalated);
  EXPECT_EQ(told[0].override_name, "");
}

}  // namespace
}  // namespace postern::session
