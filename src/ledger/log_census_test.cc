#include "ledger/log_census.h"

#include <gtest/gtest.h>
#include <string_view>

#include "maillog/reader.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

const WallTime evening(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                       20h);

LogCensus census_of(std::string_view text) {
  LogCensus census;
  maillog::Reader reader(evening, {});
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    census.add(reader.read(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return census;
}

const LoggedClient& client(const LogCensus& census, std::string_view address) {
  return census.clients().at(*IpAddress::parse(address));
}

std::string refusal(std::string_view time, std::string_view address = "192.0.2.10") {
  return "Nov 24 " + std::string(time) +
         " gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[" + std::string(address) +
         "]: 450 4.7.25 Client host rejected: cannot find your hostname, [" + std::string(address) +
         "]; from=<a@example.com> to=<bob@example.net> proto=ESMTP helo=<mail.example.com>\n";
}

TEST(LogCensus, AQueueIdIsOfOneHost) {
  const LogCensus census = census_of(
      "Nov 24 06:20:01 mx1 postfix/smtpd[1]: 4ABC1234: client=mail.example.com[192.0.2.10]\n"
      "Nov 24 06:20:02 mx2 postfix/smtpd[1]: 4ABC1234: client=mail.example.org[192.0.2.11]\n"
      "Nov 24 06:20:03 mx1 postfix/qmgr[1]: 4ABC1234: from=<a@example.com>, size=1, nrcpt=1 (queue "
      "active)\n");
  EXPECT_EQ(client(census, "192.0.2.10").senders, std::vector<std::string>{"a@example.com"});
  EXPECT_EQ(client(census, "192.0.2.11").accepted, 0U);
}

TEST(LogCensus, WhatPostfixRefusedAndTookLater) {
  const LogCensus census = census_of(
      refusal("06:00:00") + refusal("06:05:00") +
      "Nov 24 06:20:00 gw postfix/smtpd[1]: connect from mail.example.com[192.0.2.10]\n"
      "Nov 24 06:20:01 gw postfix/smtpd[1]: 4ABC1234: client=mail.example.com[192.0.2.10]\n"
      "Nov 24 06:20:02 gw postfix/qmgr[1]: 4ABC1234: from=<a@example.com>, size=1, nrcpt=1 (queue "
      "active)\n"
      "Nov 24 06:20:03 gw postfix/qmgr[1]: 4ABC1234: from=<a@example.com>, size=1, nrcpt=1 (queue "
      "active)\n"
      "Nov 24 06:20:04 gw postfix/local[1]: 4ABC1234: to=<bob@host.example.net>, "
      "orig_to=<bob@example.net>, relay=local, delay=1, dsn=2.0.0, status=sent (ok)\n"
      "Nov 24 06:20:04 gw postfix/qmgr[1]: 4ABC1234: removed\n");
  ASSERT_EQ(census.refused().deferrals().size(), 1U);
  const Deferral& deferral = census.refused().deferrals()[0];
  EXPECT_EQ(deferral.attempts_count, 2U);
  ASSERT_TRUE(deferral.accepted.has_value());
  EXPECT_EQ(*deferral.accepted - deferral.attempts.front(), 20min + 1s);
  const LoggedClient& known = client(census, "192.0.2.10");
  EXPECT_EQ(known.accepted, 1U);
  EXPECT_EQ(known.connections, 1U);
  EXPECT_EQ(known.refused_unknown_ip, 2U);
  EXPECT_EQ(known.name, "mail.example.com");
  EXPECT_EQ(known.senders, std::vector<std::string>{"a@example.com"});
  EXPECT_EQ(census.counts().accepted, 1U);
}

TEST(LogCensus, WhatIsDeliveredWasTakenThoughNoLineTellsItsSender) {
  const LogCensus census = census_of(
      "Nov 24 06:00:00 gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 450 "
      "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.10]; from=<> "
      "to=<bob@example.net> proto=ESMTP helo=<mail.example.com>\n"
      "Nov 24 06:15:00 gw postfix/smtpd[1]: 4ABC1234: client=mail.example.com[192.0.2.10]\n"
      "Nov 24 06:15:01 gw postfix/smtp[1]: 4ABC1234: to=<bob@example.net>, relay=none, delay=1, "
      "dsn=4.4.1, status=deferred (connect: timed out)\n"
      "Nov 24 06:25:01 gw postfix/smtp[1]: 4ABC1234: to=<bob@example.net>, relay=x, delay=9, "
      "dsn=2.0.0, status=sent (250 ok)\n");
  EXPECT_EQ(census.counts().accepted, 1U);
  EXPECT_EQ(client(census, "192.0.2.10").accepted, 1U);
  EXPECT_EQ(client(census, "192.0.2.10").recipients, std::vector<std::string>{"bob@example.net"});
  ASSERT_EQ(census.refused().deferrals().size(), 1U);
  EXPECT_FALSE(census.refused().deferrals()[0].accepted.has_value())
      << "whether it is the mail of the null reverse path is not known";
}

TEST(LogCensus, EximsToo) {
  const LogCensus census = census_of(
      "2026-11-24 06:16:00 H=(h.example.com) [192.0.2.50] F=<g@example.com> temporarily rejected "
      "RCPT "
      "<user@example.test>: host lookup failed (failed to find host name from IP address)\n"
      "2026-11-24 06:46:00 1qZ7xT-0001Ab-2c <= g@example.com H=h.example.com [192.0.2.50] P=esmtps "
      "S=1\n"
      "2026-11-24 06:46:01 1qZ7xT-0001Ab-2c => user <user@example.test> R=local T=maildir\n"
      "2026-11-24 06:46:01 1qZ7xT-0001Ab-2c Completed\n");
  ASSERT_EQ(census.refused().deferrals().size(), 1U);
  EXPECT_TRUE(census.refused().deferrals()[0].accepted.has_value());
  EXPECT_EQ(client(census, "192.0.2.50").accepted, 1U);
}

TEST(LogCensus, WhatIsNoRefusalOfAMailIsCountedOnly) {
  const LogCensus census = census_of(
      "Nov 24 06:12:00 gw postfix/smtpd[1]: NOQUEUE: reject: CONNECT from unknown[203.0.113.9]: "
      "450 "
      "4.7.25 Client host rejected: cannot find your hostname, [203.0.113.9]; proto=SMTP\n"
      "Nov 24 06:12:30 gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from h.example[203.0.113.20]: "
      "554 "
      "5.7.1 Service unavailable; from=<c@example.net> to=<u@example.test> proto=ESMTP helo=<h>\n"
      "Nov 24 06:14:02 gw postfix/smtpd[1]: NOQUEUE: reject_warning: RCPT from "
      "unknown[192.0.2.99]: "
      "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.99]; from=<f@e> "
      "to=<u@t> "
      "proto=ESMTP helo=<b>\n"
      "no log\n");
  EXPECT_TRUE(census.refused().deferrals().empty());
  EXPECT_EQ(census.counts().refused_without_recipient, 1U);
  EXPECT_EQ(census.counts().would_be_refused, 1U);
  EXPECT_EQ(census.counts().unreadable, 1U);
  EXPECT_EQ(census.counts().lines, 4U);
  EXPECT_EQ(client(census, "203.0.113.20").refused_otherwise, 1U);
  EXPECT_EQ(census.clients().count(*IpAddress::parse("192.0.2.99")), 0U);
}

TEST(LogCensus, ATransactionThatCameToNothingIsNoMessage) {
  const LogCensus census = census_of(
      "Nov 24 06:20:01 gw postfix/smtpd[1]: 4ABC1234: client=m.example.com[192.0.2.10]\n");
  EXPECT_EQ(client(census, "192.0.2.10").accepted, 0U);
  EXPECT_EQ(census.counts().accepted, 0U);
}

}  // namespace
}  // namespace postern::ledger
