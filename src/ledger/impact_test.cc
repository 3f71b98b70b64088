#include "ledger/impact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "maillog/reader.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

IpAddress address(std::string_view text) {
  return *IpAddress::parse(text);
}

/// A log of Postfix, and what the check says of its clients today.
class Log {
 public:
  Log& accepted(std::string_view name, std::string_view client, std::string_view sender,
                std::string_view more = "") {
    const std::string id = "4ABC" + std::to_string(++number_);
    line("smtpd", id + ": client=" + std::string(name) + "[" + std::string(client) + "]" +
                      std::string(more));
    line("qmgr", id + ": from=<" + std::string(sender) + ">, size=1, nrcpt=1 (queue active)");
    line("lmtp", id + ": to=<bob@example.net>, relay=x, delay=1, dsn=2.0.0, status=sent (ok)");
    return *this;
  }
  Log& refused(std::string_view client, std::string_view sender,
               std::string_view helo = "h.example") {
    line("smtpd", "NOQUEUE: reject: RCPT from unknown[" + std::string(client) +
                      "]: 450 4.7.25 Client host rejected: cannot find your hostname, [" +
                      std::string(client) + "]; from=<" + std::string(sender) +
                      "> to=<bob@example.net> proto=ESMTP helo=<" + std::string(helo) + ">");
    return *this;
  }
  Log& later(Duration by) {
    after_ += by;
    return *this;
  }
  [[nodiscard]] Impact impact(const std::vector<std::string_view>& refused_today) const {
    std::unordered_map<IpAddress, Finding> findings;
    for (const auto& [client, seen] : census_.clients())
      findings[client] = {.state = "pass", .cause = ""};
    for (const std::string_view client : refused_today)
      findings[address(client)] = {.state = "no_ptr", .cause = "no PTR record", .refused = true};
    return make_impact(census_, findings, upstream::shipped_profiles_read());
  }

 private:
  void line(std::string_view service, std::string_view message) {
    const std::string line = format_iso8601(noon + after_) + " gw postfix/" + std::string(service) +
                             "[1]: " + std::string(message);
    census_.add(maillog::Reader(noon, {}).read(line));
  }

  LogCensus census_;
  Duration after_{};
  int number_ = 0;
};

TEST(Impact, ThatMailWasAcceptedIsNoReason) {
  Log log;
  for (int i = 0; i < 9; ++i) log.accepted("unknown", "192.0.2.1", "x@spam.example");
  log.accepted("mail.example.org", "192.0.2.2", "y@example.org");
  log.accepted("unknown", "192.0.2.3", "z@example.com", ", sasl_method=PLAIN, sasl_username=z");
  const Impact impact = log.impact({"192.0.2.1", "192.0.2.2", "192.0.2.3"});
  ASSERT_EQ(impact.clients.size(), 3U);
  EXPECT_THAT(impact.clients[0].wanted_because, ElementsAre("was called mail.example.org then"));
  EXPECT_THAT(impact.clients[1].wanted_because, ElementsAre("a user logged in from there"));
  EXPECT_EQ(impact.clients[2].address, address("192.0.2.1")) << "behind them, however much it is";
  EXPECT_EQ(impact.clients[2].messages, 9U);
  EXPECT_THAT(impact.clients[2].wanted_because, IsEmpty());
  EXPECT_FALSE(impact.clients[2].to_exempt);
}

TEST(Impact, ASenderIsWhatAnybodyCanWrite) {
  const Impact impact = Log()
                            .accepted("mx1.partner.example", "192.0.2.1", "ann@partner.example")
                            .accepted("unknown", "203.0.113.9", "ann@partner.example")
                            .impact({"203.0.113.9"});
  ASSERT_EQ(impact.clients.size(), 1U);
  EXPECT_THAT(impact.clients[0].wanted_because,
              ElementsAre("mail comes from mx1.partner.example too, a confirmed name in its "
                          "sender's domain partner.example"));
  EXPECT_FALSE(impact.clients[0].to_exempt);
}

TEST(Impact, WhoIsAcceptedInTheEndIsWhoCameAgain) {
  const Impact impact = Log()
                            .refused("203.0.113.9", "ann@partner.example")  // forged
                            .later(1h)
                            .accepted("mx1.partner.example", "192.0.2.1", "ann@partner.example")
                            .refused("198.51.100.1", "eve@example.org")
                            .later(1h)
                            .accepted("unknown", "198.51.100.2", "eve@example.org")
                            .impact({"203.0.113.9", "198.51.100.1"});
  ASSERT_EQ(impact.clients.size(), 2U);
  EXPECT_EQ(impact.outcomes.at(static_cast<std::size_t>(Outcome::recovered)), 2U);
  EXPECT_EQ(impact.clients[0].address, address("198.51.100.1"));
  EXPECT_THAT(impact.clients[0].wanted_because,
              ElementsAre("1 refused mail came again and was accepted"));
  EXPECT_TRUE(impact.clients[0].to_exempt);
  EXPECT_FALSE(impact.clients[1].to_exempt);
}

TEST(Impact, KeepingMailSpeaksForWhoKeepsIt) {
  Log log;
  const auto both = [&log](Duration wait) {
    log.later(wait).refused("192.0.2.1", "ann@example.org", "mail.example.org");
    log.refused("198.51.100.1", "joe@pool.example", "mx1.pool.example");
  };
  for (const Duration wait : {0min, 5min, 5min, 10min}) both(wait);
  // Who forges all of a mail that is under way, its server's name too.
  log.later(20min).refused("203.0.113.9", "joe@pool.example", "mx2.pool.example");
  const Impact impact = log.impact({"192.0.2.1", "198.51.100.1", "203.0.113.9"});
  ASSERT_EQ(impact.clients.size(), 3U);
  EXPECT_EQ(impact.clients[0].address, address("192.0.2.1"));
  EXPECT_TRUE(impact.clients[0].to_exempt);
  EXPECT_THAT(impact.clients[0].wanted_because,
              ElementsAre(HasSubstr("up to 4 times, as Postfix")));
  EXPECT_FALSE(impact.clients[1].to_exempt);
  EXPECT_FALSE(impact.clients[2].to_exempt);
}

TEST(Impact, CountsSendersAndRecipientsByState) {
  const Impact impact = Log()
                            .accepted("unknown", "192.0.2.1", "a@example.org")
                            .accepted("unknown", "192.0.2.1", "b@example.org")
                            .accepted("unknown", "192.0.2.2", "A@example.org")
                            .accepted("mx.example.com", "192.0.2.3", "c@example.com")
                            .impact({"192.0.2.1", "192.0.2.2"});
  EXPECT_EQ(impact.by_state.at("no_ptr").senders, 2U);
  EXPECT_EQ(impact.by_state.at("no_ptr").recipients, 1U);
  EXPECT_EQ(impact.by_state.at("pass").senders, 1U);
  EXPECT_EQ(impact.refused.clients, 2U);
  EXPECT_EQ(impact.refused.messages, 3U);
  EXPECT_EQ(impact.refused.senders, 2U);
  EXPECT_EQ(impact.refused.recipients, 1U);
}

}  // namespace
}  // namespace postern::ledger
