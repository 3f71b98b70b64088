#include "mail/received_from.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "mail/received.h"

namespace postern::mail {
namespace {

using Kind = ReceivedFrom::Kind;

struct Case {
  std::string_view reason;
  std::string_view value;
  std::string_view wanted;  ///< an address, "local" or "unreadable"
};

std::string told(const ReceivedFrom& from) {
  if (from.kind == Kind::address) return from.address.text();
  return from.kind == Kind::local ? "local" : "unreadable";
}

void expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(told(parse_received_from(c.value)), c.wanted) << c.reason;
}

TEST(ReceivedFrom, PostfixAndItsKind) {
  expect({
      {"Postfix", " from h.example (r.example [192.0.2.7])\r\n\tby mx.example (Postfix) with ESMTP",
       "192.0.2.7"},
      {"no name", "from h.example (unknown [192.0.2.7]) by mx.example (Postfix)", "192.0.2.7"},
      {"IPv6", "from h (r.example [IPv6:2001:db8::7]) by mx (Postfix)", "2001:db8::7"},
      {"a zone", "from h (unknown [IPv6:fe80::7%eth0]) by mx (Postfix)", "fe80::7"},
      {"TLS behind it",
       "from h (r.example [192.0.2.7])\r\n\t(using TLSv1.3 with cipher X (256/256 bits))\r\n"
       "\t(Client CN \"[192.0.2.99]\", Issuer \"x\")\r\n\tby mx (Postfix)",
       "192.0.2.7"},
      {"handed over by sendmail(1)", "by mx.example (Postfix, from userid 1000)", "local"},
      {"Sendmail", "from h (r.example [192.0.2.7])\r\n\tby mx (8.17.1/8.17.1) with ESMTP",
       "192.0.2.7"},
      {"Sendmail, no name", "from h ([192.0.2.7]) by mx (8.17.1)", "192.0.2.7"},
      {"Sendmail, a name not confirmed",
       "from h (r.example [192.0.2.7] (may be forged)) by mx (8.17.1)", "192.0.2.7"},
      {"Sendmail, ident", "from h (IDENT:u@r.example [192.0.2.7]) by mx", "192.0.2.7"},
      {"OpenSMTPD",
       "from h (r.example [192.0.2.7]) by mx (OpenSMTPD) with ESMTPS id 1 (TLSv1.3) for <a@b>",
       "192.0.2.7"},
      {"OpenSMTPD, mask-src: from the network, yet it does not say from whom",
       "by mx.example (OpenSMTPD) with ESMTPS id 1 (TLSv1.3) for <a@b>", "unreadable"},
      {"the same by LMTP", "by mx.example with LMTP id 1", "unreadable"},
      {"OpenSMTPD, local", "from localhost (mx.example [local]) by mx.example (OpenSMTPD)",
       "local"},
      {"Gmail", "from r.example (r.example. [192.0.2.7])\r\n        by mx.google.com with ESMTPS",
       "192.0.2.7"},
      {"Gmail, within", "by 2002:a05:6402:1111:b0:5cf:1f2e:3d4c with SMTP id abc;", "local"},
      {"Gmail, a browser", "by mail.google.com with HTTP; 1 Jan", "local"},
      {"Haraka, on its way out", " (Haraka outbound); Mon, 30 Nov 2026 10:00:00 +0000", "local"},
      {"Sendmail, local", "(from u@localhost)\r\n\tby mx (8.17.1/8.17.1/Submit) id 1;\r\n\t1 Jan",
       "local"},
      {"a comment before what came by SMTP", "(x) by mx.example with ESMTP id 1", "unreadable"},
  });
}

TEST(ReceivedFrom, EximQmailExchange) {
  expect({
      {"Exim", "from r.example ([192.0.2.7] helo=h.example)\r\n\tby mx with esmtps (Exim 4.96)",
       "192.0.2.7"},
      {"Exim, HELO is the name", "from r.example ([192.0.2.7]) by mx with esmtp (Exim 4.96)",
       "192.0.2.7"},
      {"Exim with ports", "from r.example ([192.0.2.7]:4711 helo=h ident=u) by mx with esmtp (Exim",
       "192.0.2.7"},
      {"Exim, no name", "from [192.0.2.7] (helo=h.example) by mx with esmtp (Exim 4.96)",
       "192.0.2.7"},
      {"Exim, no name, HELO is a literal", "from [192.0.2.7] (helo=[192.0.2.99]) by mx with esmtp",
       "192.0.2.7"},
      {"Exim, no name, port", "from [2001:db8::7] (port=4711 helo=h) by mx", "2001:db8::7"},
      {"Exim, nothing but the address", "from [192.0.2.7] by mx with smtp (Exim 4.96) id 1",
       "192.0.2.7"},
      {"Exim, local", "from root by mx with local (Exim 4.96) (envelope-from <a@b>) id 1", "local"},
      {"qmail", "from unknown (HELO h.example) (192.0.2.7) by 0 with SMTP; 1 Jan", "192.0.2.7"},
      {"qmail, HELO is the name", "from r.example (192.0.2.7)\r\n  by 0 with SMTP", "192.0.2.7"},
      {"netqmail, ident", "from r.example (HELO h) (u@192.0.2.7) by mx with ESMTPS", "192.0.2.7"},
      {"qmail-queue", "(qmail 4711 invoked from network); 1 Jan 2026 00:00:00 -0000", "local"},
      {"qmail-queue, a user", "(qmail 4711 invoked by uid 1000); 1 Jan 2026", "local"},
      {"Exchange", "from H.example (192.0.2.7) by X.example (10.0.0.1) with Microsoft SMTP Server",
       "192.0.2.7"},
      {"Exchange, IPv6",
       "from H.example (2001:db8::7) by\r\n X.example (2001:db8::8) with Microsoft SMTP Server",
       "2001:db8::7"},
  });
}

/// Whatever the client may choose: HELO, the name in its DNS, ident.
TEST(ReceivedFrom, TheClientsOwnWordsNeverCount) {
  expect({
      {"HELO is a literal, Postfix", "from [192.0.2.99] (r.example [192.0.2.7]) by mx (Postfix)",
       "192.0.2.7"},
      {"HELO holds a literal", "from a[192.0.2.99] (unknown [192.0.2.7]) by mx", "192.0.2.7"},
      {"HELO is a literal, Exim", "from r.example ([192.0.2.7] helo=[192.0.2.99]) by mx",
       "192.0.2.7"},
      {"HELO is an address, qmail", "from unknown (HELO 192.0.2.99) (192.0.2.7) by 0", "192.0.2.7"},
      {"HELO is an address, and no other", "from r.example (HELO 192.0.2.99) by mx", "unreadable"},
      {"HELO is a literal, and no other", "from [192.0.2.99] by mx.example with SMTP",
       "unreadable"},
      {"an address, but another follows", "from r.example (192.0.2.99) [192.0.2.7] by mx",
       "unreadable"},
      {"HELO holds blanks and a literal, Exim", "from [192.0.2.7] (helo=x [192.0.2.99]) by mx",
       "unreadable"},
      {"the same behind a port", "from [192.0.2.7] (port=4711 helo=x [192.0.2.99]) by mx",
       "unreadable"},
      {"the same in ident", "from [192.0.2.7] (ident=x [192.0.2.99]) by mx", "unreadable"},
      {"the same with a name", "from r.example ([192.0.2.7] helo=x [192.0.2.99]) by mx",
       "unreadable"},
      {"a clause behind a comment", "(x) from h (r.example [192.0.2.99]) by mx", "unreadable"},
      {"a name like a literal", "from h ([192.0.2.99]x [192.0.2.7]) by mx", "unreadable"},
      {"a name like a literal with a port", "from h ([192.0.2.99]:1x [192.0.2.7]) by mx",
       "unreadable"},
      {"a name that ends like a literal", "from h (x[192.0.2.99]) by mx", "unreadable"},
      {"ident like a literal", "from h ([192.0.2.99]@r.example [192.0.2.7]) by mx", "unreadable"},
      {"a comment that does not end", "from h (r.example [192.0.2.7] by mx", "unreadable"},
      {"quoting", "from h (a\\) [192.0.2.99]) (r.example [192.0.2.7]) by mx", "unreadable"},
      {"quotes", "from h (\"a)\" [192.0.2.7]) by mx", "unreadable"},
      {"a comment in a comment", "from h (r.example ([192.0.2.99]) [192.0.2.7]) by mx",
       "192.0.2.7"},
      {"a local delivery of HELO", "from local by mx with SMTP", "unreadable"},
  });
}

TEST(ReceivedFrom, TheRestIsUnreadable) {
  expect({
      {"empty", "", "unreadable"},
      {"no clause", "x.example; 1 Jan", "unreadable"},
      {"nothing behind from", "from", "unreadable"},
      {"no address", "from h (r.example) by mx", "unreadable"},
      {"no such address", "from h (r.example [192.0.2.300]) by mx", "unreadable"},
      {"nothing in the comment", "from [192.0.2.99] () by mx", "unreadable"},
      {"another comment", "from h (Authenticated sender: a) by mx", "unreadable"},
      {"very deep", "from h ((((((((((((x)))))))))))) by mx", "unreadable"},
  });
}

TEST(ReceivedFrom, OurOwnFieldIsRead) {
  Received ours;
  ours.helo = "[192.0.2.99]";
  ours.client = *IpAddress::parse("2001:db8::7");
  ours.by = "gw.example.com";
  ours.protocol = "ESMTP";
  ours.id = "1";
  for (const std::string name :
       {"", "r.example", "a-very-long-name-so-that-the-field-is-folded.r.example"}) {
    ours.client_name = name;
    const std::string field = compose_received(ours);
    EXPECT_EQ(told(parse_received_from(field.substr(field.find(':') + 1))), "2001:db8::7") << field;
  }
}

// --- the walk

std::string walked(const std::vector<std::string_view>& fields) {
  HopWalk walk([](const IpAddress& address) { return address.is_private(); });
  for (const std::string_view field : fields) walk.feed(field);
  if (walk.state() == HopWalk::State::found) return walk.hop().text();
  return walk.state() == HopWalk::State::unreadable ? "unreadable" : "walking";
}

TEST(HopWalk, StopsAtTheFirstHostThatIsNotOurs) {
  const std::string_view outside = "from h (r.example [192.0.2.7]) by edge (Postfix)";
  const std::string_view inside = "from edge (edge [10.0.0.1]) by relay (Postfix)";
  const std::string_view within = "by relay (Postfix, from userid 1000)";
  const std::string_view forged = "from h (r.example [192.0.2.99]) by edge (Postfix)";
  EXPECT_EQ(walked({}), "walking") << "written by the known host itself";
  EXPECT_EQ(walked({outside, forged}), "192.0.2.7");
  EXPECT_EQ(walked({inside, outside, forged}), "192.0.2.7");
  EXPECT_EQ(walked({within, inside, within, outside}), "192.0.2.7");
  EXPECT_EQ(walked({inside, inside}), "walking") << "it began on our side";
  EXPECT_EQ(walked({"from h by other", outside}), "unreadable")
      << "below a field that cannot be read nothing is to be believed";
  EXPECT_EQ(walked({inside, "from x (y) by z", forged}), "unreadable");
}

}  // namespace
}  // namespace postern::mail
