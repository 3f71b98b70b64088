#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session/relay_control.h"
#include "session/reply_for_error.h"
#include "session/session_log.h"
#include "session/trace_filter.h"

namespace postern::session {
namespace {

RelayDecision decide(std::string_view path, std::string_view client = "192.0.2.7") {
  Options options;
  options.smtp.hostname = "gw.example.com";
  options.relay.domains = {"Ours.Example", ".subs.example",
                           "b\xc3\xbc"
                           "cher.example"};
  options.relay.networks = {*IpNetwork::parse("198.51.100.0/24")};
  return decide_relay(options, *IpAddress::parse(client), mail::parse_forward_path(path)->mailbox);
}

TEST(RelayControl, DecidesByTheDomainBehindTheLastAt) {
  using enum RelayDecision;
  struct Case {
    std::string_view path;
    RelayDecision decision;
  };
  const std::vector<Case> cases{
      {"<a@ours.example>", relay_domain},
      {"<a@OURS.EXAMPLE>", relay_domain},
      {"<a@x.ours.example>", denied},
      {"<a@xours.example>", denied},
      {"<a@a.subs.example>", relay_domain},
      {"<a@a.b.subs.example>", relay_domain},
      {"<a@subs.example>", denied},
      {"<a@xsubs.example>", denied},
      {"<a@xn--bcher-kva.example>", relay_domain},
      {"<a@other.example>", denied},
      {"<@ours.example:a@other.example>", denied},
      {"<@other.example:a@ours.example>", relay_domain},
      {"<a%other.example@ours.example>", routed},
      {"<other.example!a@ours.example>", routed},
      {"<\"a@other.example\"@ours.example>", routed},
      {"<\"a\\@other.example\"@ours.example>", routed},
      {"<\"a@ours.example\"@other.example>", denied},
      {"<a@[192.0.2.1]>", denied},
      {"<a@[IPv6:::1]>", denied},
      {"<a@[x:ours.example]>", denied},
      {"<postmaster>", postmaster},
      {"<\"Postmaster\">", postmaster},
      {"<postmaster@gw.example.com>", postmaster},
      {"<postmaster@other.example>", denied},
      {"<abuse@gw.example.com>", denied},
  };
  for (const Case& c : cases) EXPECT_EQ(decide(c.path), c.decision) << c.path;
}

TEST(RelayControl, TrustsClientsOfOurNetworks) {
  EXPECT_EQ(decide("<a@other.example>", "198.51.100.9"), RelayDecision::trusted_client);
  EXPECT_EQ(decide("<a@other.example>", "::ffff:198.51.100.9"), RelayDecision::trusted_client);
  EXPECT_EQ(decide("<a@other.example>", "198.51.101.9"), RelayDecision::denied);
}

TEST(RelayControl, EmptyEntriesMatchNothing) {
  EXPECT_FALSE(in_domains({"", "."}, "example.com"));
  EXPECT_FALSE(in_domains({"", "."}, ""));
  EXPECT_FALSE(in_domains({}, "example.com"));
}

std::string filtered(std::string_view content, std::size_t chunk, TraceFilter& filter) {
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += chunk)
    filter.feed(content.substr(at, chunk), out);
  filter.finish(out);
  return out;
}

TEST(TraceFilter, RemovesForgedResultsInAnyChunks) {
  struct Case {
    std::string_view reason;
    std::string in;
    std::string out;
    std::size_t received = 0;
  };
  const std::string ours = "Authentication-Results: gw.example.com; x=pass\r\n";
  const std::string other = "Authentication-Results: mx.example.net; x=pass\r\n";
  const std::vector<Case> cases{
      {"nothing", "", ""},
      {"no header section", "\r\nbody\r\n", "\r\nbody\r\n"},
      {"ours alone", ours, ""},
      {"ours and a body", ours + "\r\n" + ours, "\r\n" + ours},
      {"between others", "A: 1\r\n" + ours + other + "B: 2\r\n\r\nx",
       "A: 1\r\n" + other + "B: 2\r\n\r\nx"},
      {"folded", "Authentication-Results:\r\n gw.example.com;\r\n\tx=pass\r\nB: 2\r\n", "B: 2\r\n"},
      {"a blank before the colon, another case", "AUTHENTICATION-results \t: GW.example.com\r\n",
       ""},
      {"unreadable", "Authentication-Results: (gw.example.com; x=pass\r\n", ""},
      {"behind a line that is no field", "A: 1\r\ngarbage\r\n" + ours + "\r\n",
       "A: 1\r\ngarbage\r\n\r\n"},
      {"without a line end", "Authentication-Results: gw.example.com", ""},
      {"another field whose name begins so", "Authentication-Results-X: gw.example.com\r\n",
       "Authentication-Results-X: gw.example.com\r\n"},
      {"Received", "Received: a\r\n b\r\nreceived : c\r\nX: d\r\n\r\nReceived: e\r\n",
       "Received: a\r\n b\r\nreceived : c\r\nX: d\r\n\r\nReceived: e\r\n", 2},
  };
  for (const Case& c : cases) {
    for (const std::size_t chunk : {1, 2, 3, 1000}) {
      TraceFilter filter("gw.example.com");
      EXPECT_EQ(filtered(c.in, chunk, filter), c.out) << c.reason << " in " << chunk;
      EXPECT_EQ(filter.received_count(), c.received) << c.reason;
    }
  }
}

/// Our own fields come right before what the filter gives.
TEST(TraceFilter, NothingGoesOnWithTheFieldsBefore) {
  struct Case {
    std::string_view reason;
    std::string in;
    std::string out;
  };
  const std::string ours = "Authentication-Results: gw.example.com; x=pass\r\n";
  const std::string line(2 * TraceFilter::held_bytes_max, 'x');
  const std::vector<Case> cases{
      {"a tab", "\t; dkim=pass\r\nA: 1\r\n\r\nx", "\r\n\t; dkim=pass\r\nA: 1\r\n\r\nx"},
      {"a blank", " x\r\n y\r\n" + ours, "\r\n x\r\n y\r\n" + ours},
      {"nothing but a blank", " ", "\r\n "},
      {"blanks, then the end of the header section", "\t\r\n\r\n", "\r\n\t\r\n\r\n"},
      {"a blank behind a field that goes", ours + " y\r\nA: 1\r\n", "A: 1\r\n"},
      {"a line that is no field", "dkim=pass\r\n" + ours, "\r\ndkim=pass\r\n" + ours},
      {"the same without an end", line + " " + ours, "\r\n" + line + " " + ours},
      {"the same behind a field that goes", ours + "dkim=pass\r\n", "\r\ndkim=pass\r\n"},
      {"a mailbox's separator", ">From a@b Mon Nov 30 10:00:00\r\nA: 1\r\n",
       ">From a@b Mon Nov 30 10:00:00\r\nA: 1\r\n"},
  };
  for (const Case& c : cases) {
    for (const std::size_t chunk : {1, 2, 3, 1'000'000}) {
      TraceFilter filter("gw.example.com");
      EXPECT_EQ(filtered(c.in, chunk, filter), c.out) << c.reason << " in " << chunk;
    }
  }
}

TEST(TraceFilter, DecidesFieldsWithoutEnd) {
  const std::string comment(3 * TraceFilter::held_bytes_max, 'c');
  const std::string forged =
      "Authentication-Results: gw.example.com; x=pass (" + comment + ")\r\n (folded)\r\nA: 1\r\n";
  const std::string hidden = "Authentication-Results: (" + comment + ") gw.example.com\r\nA: 1\r\n";
  const std::string subject = "Subject: " + comment + "\r\n folded\r\nA: 1\r\n";
  for (const std::size_t chunk : {1, 4096, 1'000'000}) {
    TraceFilter first("gw.example.com");
    EXPECT_EQ(filtered(forged, chunk, first), "A: 1\r\n");
    TraceFilter second("gw.example.com");
    EXPECT_EQ(filtered(hidden, chunk, second), "A: 1\r\n");
    TraceFilter third("gw.example.com");
    EXPECT_EQ(filtered(subject, chunk, third), subject);
  }
}

TEST(ReplyForError, IsAlwaysTemporary) {
  for (const Cause cause : {Cause::other, Cause::no_space, Cause::cancelled, Cause::limit,
                            Cause::damaged, Cause::no_permission}) {
    const Error error{Persistence::permanent, Blame::us, cause, "secret path /var/lib"};
    const smtp::Reply reply = reply_for_error(error);
    EXPECT_EQ(reply.code, 451);
    EXPECT_EQ(reply.enhanced->subject, 3);
    EXPECT_THAT(reply.text(), testing::Not(testing::HasSubstr("secret")));
  }
  EXPECT_EQ(reply_for_error({Persistence::temporary, Blame::us, Cause::no_space, ""}).enhanced,
            (smtp::EnhancedStatus{4, 3, 1}));
}

TEST(SessionLog, WritesPostfixsLineSafely) {
  const IpAddress client = *IpAddress::parse("2001:db8::7");
  const smtp::Reply reply(550, {5, 7, 1}, "<c@d>: Relay access denied");
  const RecipientDecision decision{client,  "x\r\ny", "ESMTP", "a@b", "c@d",
                                   nullptr, "",       reply,   "",    ""};
  EXPECT_EQ(postfix_reject(decision),
            "NOQUEUE: reject: RCPT from unknown[2001:db8::7]: 550 5.7.1 <c@d>: Relay access "
            "denied; from=<a@b> to=<c@d> proto=ESMTP helo=<x\\x0d\\x0ay>");
}

TEST(SessionLog, WritesPostfixsLineOfEachStep) {
  using policy::AnswerAt;
  const IpAddress client = *IpAddress::parse("192.0.2.7");
  const smtp::Reply reply(450, {4, 7, 25}, "Client host rejected: x");
  struct Case {
    AnswerAt step;
    const char* protocol;
    const char* line;
  };
  const Case cases[] = {
      {AnswerAt::connect, "SMTP",
       "CONNECT from unknown[192.0.2.7]: 450 4.7.25 Client host rejected: x; proto=SMTP"},
      {AnswerAt::ehlo, "ESMTP",
       "EHLO from unknown[192.0.2.7]: 450 4.7.25 Client host rejected: x; proto=ESMTP helo=<h>"},
      {AnswerAt::ehlo, "SMTP",
       "HELO from unknown[192.0.2.7]: 450 4.7.25 Client host rejected: x; proto=SMTP helo=<h>"},
      {AnswerAt::mail, "ESMTP",
       "MAIL from unknown[192.0.2.7]: 450 4.7.25 Client host rejected: x; from=<a@b> proto=ESMTP "
       "helo=<h>"},
  };
  for (const Case& c : cases) {
    const RecipientDecision decision{client, "h",   c.protocol, "a@b", "",    nullptr,
                                     "",     reply, "",         "",    c.step};
    EXPECT_EQ(postfix_reject(decision), "NOQUEUE: reject: " + std::string(c.line));
  }
}

}  // namespace
}  // namespace postern::session
