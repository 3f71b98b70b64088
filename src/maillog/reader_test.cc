#include "maillog/reader.h"

#include <array>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "support/source_path.h"

namespace postern::maillog {
namespace {

using namespace std::chrono_literals;
using Kind = Entry::Kind;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    12h);

Entry read(std::string_view line) {
  return Reader(noon, {}).read(line);
}

std::string_view kind_name(Kind kind) {
  constexpr std::array<std::string_view, 10> names{
      "unreadable", "irrelevant", "connected", "accepted", "sender",
      "delivered",  "deferred",   "bounced",   "refused",  "ended"};
  return names.at(static_cast<std::size_t>(kind));
}

/// All that an entry tells, in one line; what is empty is left out.
std::string told(const Entry& entry) {
  std::string text(kind_name(entry.kind));
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) text += fmt::format(" {}={}", name, value);
  };
  add("by", entry.kind == Kind::unreadable ? "" : writer_name(entry.writer));
  add("id", entry.queue_id);
  if (entry.client != IpAddress()) add("client", entry.client.text());
  add("name", entry.client_name);
  add("helo", entry.helo);
  if (entry.sender_told) text += fmt::format(" from=<{}>", entry.sender);
  add("to", entry.recipient);
  if (entry.authenticated) text += " authenticated";
  if (entry.kind != Kind::refused) return text;
  add("at", stage_name(entry.stage));
  if (entry.code != 0) text += fmt::format(" {}", entry.code);
  if (!entry.enhanced.empty()) text += fmt::format(" {}", entry.enhanced);
  text += entry.temporary ? " temporary" : " permanent";
  text += fmt::format(" {}", reason_name(entry.reason));
  if (entry.warning_only) text += " warning";
  return text;
}

struct Case {
  std::string_view line;
  std::string_view told;
};

TEST(MailLog, Postfix) {
  constexpr std::string_view front = "Nov 24 06:00:01 gw postfix/";
  for (const Case& c : std::vector<Case>{
           {"smtpd[1]: connect from mail.example.com[192.0.2.1]",
            "connected by=postfix client=192.0.2.1 name=mail.example.com"},
           {"smtpd[1]: connect from unknown[2001:db8::1]",
            "connected by=postfix client=2001:db8::1"},
           {"submission/smtpd[1]: connect from unknown[192.0.2.1]",
            "connected by=postfix client=192.0.2.1"},
           {"postscreen[1]: CONNECT from [192.0.2.1]:4711 to [192.0.2.9]:25",
            "connected by=postfix client=192.0.2.1"},
           {"smtpd[1]: 4ABC1234: client=mail.example.com[192.0.2.1]",
            "accepted by=postfix id=4ABC1234 client=192.0.2.1 name=mail.example.com"},
           {"smtpd[1]: 4ABC1234: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=e",
            "accepted by=postfix id=4ABC1234 client=192.0.2.1 authenticated"},
           {"qmgr[1]: 4ABC1234: from=<a@example.com>, size=309891, nrcpt=1 (queue active)",
            "sender by=postfix id=4ABC1234 from=<a@example.com>"},
           {"qmgr[1]: 4ABC1234: from=<>, size=309891, nrcpt=1 (queue active)",
            "sender by=postfix id=4ABC1234 from=<>"},
           {"qmgr[1]: 4ABC1234: removed", "ended by=postfix id=4ABC1234"},
           {"smtp[1]: 4ABC1234: to=<b@example.net>, relay=none, delay=1, dsn=4.4.1, "
            "status=deferred (connect to mx: Connection refused)",
            "deferred by=postfix id=4ABC1234 to=b@example.net"},
           {"local[1]: 4ABC1234: to=<root@h.example.net>, orig_to=<b@example.net>, relay=local, "
            "delay=1, dsn=2.0.0, status=sent (delivered to mailbox)",
            "delivered by=postfix id=4ABC1234 to=b@example.net"},
           {"lmtp[1]: 4ABC1234: to=<b@example.net>, relay=h[10.0.0.1]:24, dsn=5.1.1, "
            "status=bounced (host h said: 550 status=sent)",
            "bounced by=postfix id=4ABC1234 to=b@example.net"},
           {"smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.78]: 450 4.7.25 Client host "
            "rejected: cannot find your hostname, [192.0.2.78]; from=<e@example.com> "
            "to=<\"odd ; name> proto=\"@example.test> proto=ESMTP helo=<x;y> sasl_username=<e>",
            "refused by=postfix client=192.0.2.78 helo=x;y from=<e@example.com> to=\"odd ; name "
            "authenticated at=RCPT 450 4.7.25 temporary no-confirmed-name"},
           {"postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service "
            "currently "
            "unavailable; from=<a@example.com>, to=<b@example.net>, proto=ESMTP, helo=<h>",
            "refused by=postfix client=192.0.2.1 helo=h from=<a@example.com> to=b@example.net "
            "at=RCPT 450 4.3.2 temporary other"},
           {"smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service "
            "unavailable",
            "refused by=postfix client=192.0.2.1 at=RCPT 554 5.7.1 permanent other"},
           {"smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.999]: 450 4.7.25 Client host",
            "irrelevant by=postfix"},
           {"smtpd[1]: NOQUEUE: reject: RCPT from unknown", "irrelevant by=postfix"},
           {"smtpd[1]: ", "irrelevant by=postfix"},
           {"anvil[1]: statistics: max connection rate 1/60s", "irrelevant by=postfix"}})
    EXPECT_EQ(told(read(std::string(front) + std::string(c.line))), c.told) << c.line;
}

TEST(MailLog, Exim) {
  constexpr std::string_view front = "2026-11-24 06:00:01 ";
  for (const Case& c : std::vector<Case>{
           {"1qZ7xT-0001Ab-2c <= a@example.com H=mail.example.com (helo) [192.0.2.1]:25 P=esmtps "
            "S=1234 id=x@y for b@example.net",
            "accepted by=exim id=1qZ7xT-0001Ab-2c client=192.0.2.1 name=mail.example.com helo=helo "
            "from=<a@example.com>"},
           {"[77] 1qZ7xT-0000000AbCd-2cDe <= <> H=([192.0.2.1]) [192.0.2.1] P=esmtp S=1",
            "accepted by=exim id=1qZ7xT-0000000AbCd-2cDe client=192.0.2.1 helo=[192.0.2.1] "
            "from=<>"},
           {"1qZ7xT-0001Ab-2c <= a@example.com U=root P=local S=1",
            "irrelevant by=exim id=1qZ7xT-0001Ab-2c"},
           {"1qZ7xT-0001Ab-2c => bob <b@example.net> R=local T=maildir",
            "delivered by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c -> c@example.net R=dns T=smtp H=mx [192.0.2.9]",
            "delivered by=exim id=1qZ7xT-0001Ab-2c to=c@example.net"},
           {"1qZ7xT-0001Ab-2c == b@example.net R=dns T=smtp defer (-44): refused",
            "deferred by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c ** b@example.net: Unrouteable address",
            "bounced by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c Completed", "ended by=exim id=1qZ7xT-0001Ab-2c"},
           // What others said of our own mail is nobody's refusal here.
           {"1qZ7xT-0001Ab-2c ** b@example.net R=dnslookup T=remote_smtp H=mx.x [203.0.113.9]: "
            "SMTP "
            "error from remote mail server after end of data: 550 Message rejected as spam",
            "bounced by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c == b@example.net R=dnslookup T=remote_smtp defer (-44) H=mx.x "
            "[203.0.113.9]: SMTP error from remote mail server after RCPT TO:<b@example.net>: 450 "
            "rejected for now",
            "deferred by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c => b@example.net R=dns T=smtp H=mx.x [203.0.113.9] C=\"250 not "
            "rejected "
            "by us\"",
            "delivered by=exim id=1qZ7xT-0001Ab-2c to=b@example.net"},
           {"1qZ7xT-0001Ab-2c H=mx.x [203.0.113.9]: SMTP error from remote mail server after MAIL "
            "FROM:<a@example.com>: 451 rejected for now",
            "irrelevant by=exim"},
           {"1qZ7xT-0001Ab-2c H=(x) [192.0.2.50] X=TLS1.3 F=<a@example.com> rejected after DATA: "
            "spam",
            "refused by=exim client=192.0.2.50 helo=x from=<a@example.com> at=END-OF-MESSAGE "
            "permanent other"},
           {"H=(mail.example.com) [192.0.2.50] F=<g@example.com> temporarily rejected RCPT "
            "<user@example.test>: host lookup failed (failed to find host name from IP address)",
            "refused by=exim client=192.0.2.50 helo=mail.example.com from=<g@example.com> "
            "to=user@example.test at=RCPT temporary no-ptr"},
           {"H=(x) [192.0.2.50] F=<> rejected RCPT <u@example.test>: host lookup failed (bad does "
            "not match any IP address)",
            "refused by=exim client=192.0.2.50 helo=x from=<> to=u@example.test at=RCPT permanent "
            "no-confirmed-name"},
           {"H=(x) [192.0.2.50] temporarily rejected connection in \"connect\" ACL: host lookup "
            "deferred for reverse lookup",
            "refused by=exim client=192.0.2.50 helo=x at=CONNECT temporary unanswered"},
           {"H=test.example [192.0.2.50]:5 F=<i@test.example> rejected RCPT <t@example.net>: "
            "\"JunkMail rejected - test.example\"",
            "refused by=exim client=192.0.2.50 name=test.example helo=test.example "
            "from=<i@test.example> to=t@example.net at=RCPT permanent other"},
           {"SMTP connection from (h) [192.0.2.1]:25 lost",
            "connected by=exim client=192.0.2.1 helo=h"},
           {"dovecot_login authenticator failed for ([1.2.3.5]) [1.2.3.4]: 535", "irrelevant"}})
    EXPECT_TRUE(told(read(std::string(front) + std::string(c.line))).starts_with(c.told))
        << c.line << "\n"
        << told(read(std::string(front) + std::string(c.line)));
  EXPECT_EQ(
      told(read("Nov 24 06:00:01 gw exim[7]: 2026-11-24 06:00:01 1qZ7xT-0001Ab-2c Completed")),
      "ended by=exim id=1qZ7xT-0001Ab-2c");
}

TEST(MailLog, Sendmail) {
  constexpr std::string_view front = "Nov 24 06:00:01 gw sm-mta[2001]: 5AO6H0aB002001: ";
  constexpr std::string_view is = " by=sendmail id=5AO6H0aB002001 ";
  for (const Case& c : std::vector<Case>{
           {"from=<a@example.com>, size=1, class=0, nrcpts=1, proto=ESMTP, relay=m.example.com "
            "[192.0.2.1]",
            "accepted|client=192.0.2.1 name=m.example.com from=<a@example.com>"},
           {"to=<b@example.net>, delay=00:00:01, mailer=esmtp, dsn=2.0.0, stat=Sent (ok)",
            "delivered|to=b@example.net"},
           {"to=<b@example.net>, delay=00:00:01, dsn=4.0.0, stat=Deferred: Connection refused",
            "deferred|to=b@example.net"},
           {"ruleset=check_rcpt, arg1=<u@example.test>, relay=[192.0.2.51], reject=451 4.1.8 Fix "
            "reverse DNS for 192.0.2.51",
            "refused|client=192.0.2.51 to=u@example.test at=RCPT 451 4.1.8 temporary no-ptr"},
           {"ruleset=check_relay, arg1=bad.example.com, arg2=192.0.2.52, relay=bad.example.com "
            "[192.0.2.52] (may be forged), reject=550 5.7.1 Access denied",
            "refused|client=192.0.2.52 at=CONNECT 550 5.7.1 permanent other"}}) {
    const std::size_t bar = c.told.find('|');
    EXPECT_EQ(
        told(read(std::string(front) + std::string(c.line))),
        std::string(c.told.substr(0, bar)) + std::string(is) + std::string(c.told.substr(bar + 1)))
        << c.line;
  }
}

TEST(MailLog, Times) {
  const auto time_of = [](std::string_view stamp, Duration utc_offset = {}) {
    const std::string line = std::string(stamp) + " gw postfix/smtpd[1]: x";
    const auto read = LogTime(noon, utc_offset).read(line);
    return read ? format_iso8601(read->time) : "none";
  };
  EXPECT_EQ(time_of("Nov 24 06:00:01"), "2026-11-24T06:00:01.000Z");
  EXPECT_EQ(time_of("Nov  4 06:00:01"), "2026-11-04T06:00:01.000Z");
  EXPECT_EQ(time_of("Nov 25 06:00:01"), "2026-11-25T06:00:01.000Z");  // clocks differ
  EXPECT_EQ(time_of("Nov 26 06:00:01"), "2025-11-26T06:00:01.000Z");
  EXPECT_EQ(time_of("Dec 31 23:59:59"), "2025-12-31T23:59:59.000Z");
  EXPECT_EQ(time_of("Feb 29 00:00:00"), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(time_of("Nov 24 06:00:01", 2h), "2026-11-24T04:00:01.000Z");
  EXPECT_EQ(time_of("2026-11-24T06:00:01.25+09:00", 2h), "2026-11-23T21:00:01.250Z");
  EXPECT_EQ(time_of("2026-11-24T06:00:01Z"), "2026-11-24T06:00:01.000Z");
  EXPECT_EQ(time_of("2026-11-24 06:00:01.345"), "2026-11-24T06:00:01.345Z");
  EXPECT_EQ(time_of("2026-11-24 06:00:01 +0200"), "2026-11-24T04:00:01.000Z");
  EXPECT_EQ(time_of("2026-11-24 06:00:01", 2h), "2026-11-24T04:00:01.000Z");
  for (const std::string_view none :
       {"Nov 24 24:00:01", "Nov 31 06:00:01", "Nox 24 06:00:01", "2026-13-24T06:00:01",
        "2026-11-24T06:00", "this line", "", "2026-11-24T06:00:01x"})
    EXPECT_EQ(time_of(none), "none") << none;
}

// Whatever follows the time: no more of it is looked at than there is.
TEST(MailLog, WordsThatAreNearlyAQueueId) {
  for (const char* word : {"06:14:-01", "06:14:-01-gw-posx", "1qZ7xT-0001Ab2c", "1qZ7xT-0001Ab-2cX",
                           "1qZ7xT-0000000AbCd-2cDeX"}) {
    const std::string line = fmt::format("2025-11-12T06:13:05.024 {} Completed", word);
    // Not in a string's own room, whose end no sanitizer sees.
    const std::vector<char> bytes(line.begin(), line.end());
    for (std::size_t size = 24; size <= bytes.size(); ++size)
      EXPECT_NE(Reader(noon, {}).read({bytes.data(), size}).kind, Kind::ended) << word;
  }
}

// The corpus' own log, with what its authors expect of each line.
TEST(MailLog, TheCorpus) {
  std::ifstream file(source_path("tests/corpus/maillog/mixed"));
  ASSERT_TRUE(file);
  Reader reader(noon, {});
  std::vector<std::string> refusals;
  std::string line;
  int number = 0;
  while (std::getline(file, line)) {
    ++number;
    const Entry entry = reader.read(line);
    if (entry.kind == Kind::refused)
      refusals.push_back(fmt::format("{}: {} {} {} {} {}{}", number, entry.client.text(),
                                     entry.code, entry.enhanced, reason_name(entry.reason),
                                     stage_name(entry.stage),
                                     entry.warning_only ? " warning" : ""));
    if (number == 20) EXPECT_EQ(entry.kind, Kind::unreadable);
    if (number == 16) EXPECT_EQ(entry.kind, Kind::deferred);  // a refusal of our own mail
    if (number == 11 || number == 13) EXPECT_EQ(entry.kind, Kind::irrelevant);
  }
  EXPECT_EQ(refusals, (std::vector<std::string>{
                          "2: 192.0.2.10 450 4.7.25 no-confirmed-name RCPT",
                          "4: 192.0.2.10 450 4.7.25 no-confirmed-name RCPT",
                          "5: 198.51.100.7 450 4.7.1 no-ptr RCPT",
                          "6: 2001:db8::bad 550 5.7.25 no-confirmed-name RCPT",
                          "7: 203.0.113.9 450 4.7.25 no-confirmed-name CONNECT",
                          "8: 203.0.113.20 554 5.7.1 other RCPT",
                          "9: 192.0.2.77 450 4.7.25 no-confirmed-name RCPT",
                          "10: 192.0.2.78 450 4.7.25 no-confirmed-name RCPT",
                          "14: 192.0.2.99 450 4.7.25 no-confirmed-name RCPT warning",
                          "17: 192.0.2.50 0  no-ptr RCPT",
                          "18: 192.0.2.51 451 4.1.8 no-ptr RCPT",
                          "19: 192.0.2.52 550 5.7.1 other CONNECT",
                      }));
  EXPECT_EQ(number, 20);
}

}  // namespace
}  // namespace postern::maillog
