#include "smtp/client_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/server_script.h"

namespace postern::smtp {
namespace {

using testing::HasSubstr;
using testing::Not;
using Trust = ServerMachine::Trust;
using TlsOffer = ServerMachine::TlsOffer;

const IpAddress v4 = *IpAddress::parse("192.0.2.7");
const IpAddress v6 = *IpAddress::parse("2001:db8::7");

TEST(ClientAttributes, XclientIsRead) {
  struct Case {
    std::string_view reason;
    std::string_view argument;
    ClientAttributes wanted;
  };
  const Case cases[] = {
      {"a client",
       "NAME=a.example ADDR=192.0.2.7 PORT=4711",
       {.address = v4, .port = 4711, .name = "a.example"}},
      {"IPv6", "ADDR=IPV6:2001:db8::7", {.address = v6}},
      {"any case",
       "addr=ipv6:2001:DB8::7 proto=esmtp",
       {.address = v6, .protocol = Greeting::ehlo}},
      {"a mapped address is the IPv4 address", "ADDR=IPV6:::ffff:192.0.2.7", {.address = v4}},
      {"unavailable is as if it were not said",
       "NAME=[UNAVAILABLE] PORT=[unavailable] DESTADDR=[UNAVAILABLE]",
       {}},
      {"a lookup that failed for now", "NAME=[TEMPUNAVAIL]", {}},
      {"a greeting",
       "HELO=h.example PROTO=SMTP",
       {.helo = "h.example", .protocol = Greeting::helo}},
      {"a login in xtext", "LOGIN=a+2Bb", {.login = "a+b"}},
      {"that there is no login any more", "LOGIN=[UNAVAILABLE]", {.login = ""}},
      {"what decides nothing", "DESTADDR=192.0.2.1 DESTPORT=25 REVERSE_NAME=r.example", {}},
      {"twice: the last counts", "NAME=a NAME=b", {.name = "b"}},
      {"several blanks", "  NAME=a   PORT=0 ", {.port = 0, .name = "a"}},
  };
  for (const Case& c : cases) {
    const auto read = parse_xclient(c.argument);
    ASSERT_TRUE(read) << c.reason << ": " << read.error().text();
    EXPECT_EQ(*read, c.wanted) << c.reason;
  }
}

TEST(ClientAttributes, WhatIsWrongIsRefused) {
  struct Case {
    std::string_view reason;
    std::string argument;
  };
  const Case cases[] = {
      {"nothing", ""},
      {"no value", "NAME"},
      {"an empty value", "NAME="},
      {"no name", "=a"},
      {"no such attribute", "COLOUR=red"},
      {"not xtext", "NAME=a=b"},
      {"a line end", "NAME=a+0D+0Ab"},
      {"beyond ASCII", "NAME=+C3+A4"},
      {"too long", "NAME=" + std::string(attribute_bytes_max + 1, 'a')},
      {"IPv6 without its prefix", "ADDR=2001:db8::7"},
      {"IPv4 with the prefix", "ADDR=IPV6:192.0.2.7"},
      {"a name as address", "ADDR=a.example"},
      {"brackets", "ADDR=[192.0.2.7]"},
      {"no address, but a proxy speaks for somebody", "ADDR=[UNAVAILABLE]"},
      {"the last counts here too", "ADDR=192.0.2.7 ADDR=[UNAVAILABLE]"},
      {"a port too large", "PORT=65536"},
      {"a port that is none", "PORT=25x"},
      {"a blank in HELO", "HELO=a+20b"},
      {"no such protocol", "PROTO=QMTP"},
      {"a wrong destination", "DESTADDR=x"},
  };
  for (const Case& c : cases) {
    const auto read = parse_xclient(c.argument);
    ASSERT_FALSE(read) << c.reason;
    EXPECT_EQ(read.error().code, 501) << c.reason;
  }
}

TEST(ClientAttributes, XforwardGathers) {
  const auto first = parse_xforward("NAME=a.example ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP", {});
  ASSERT_TRUE(first);
  const auto second =
      parse_xforward("helo=h.example IDENT=4F7 SOURCE=REMOTE NAME=[TEMPUNAVAIL]", *first);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, (ForwardedClient{.name = "",
                                      .address = "192.0.2.7",
                                      .port = "4711",
                                      .protocol = "ESMTP",
                                      .helo = "h.example",
                                      .ident = "4F7",
                                      .source = "REMOTE"}));
  EXPECT_FALSE(parse_xforward("LOGIN=a", *first)) << "belongs to XCLIENT only";
  EXPECT_FALSE(parse_xforward("", *first));
  EXPECT_FALSE(parse_xforward("NAME=a+0Ab", *first));
}

// --- the commands in a session

const std::string ehlo = "EHLO proxy.example\r\n";
const std::string message = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\n";

TEST(Xclient, IsAnnouncedToWhomItIsAllowed) {
  ServerScript all({}, TlsOffer::none, {.xclient = true, .xforward = true});
  all.replies();
  const std::string lines = all.feed(ehlo).replies();
  EXPECT_THAT(lines, HasSubstr("XCLIENT NAME ADDR PORT PROTO HELO LOGIN"));
  EXPECT_THAT(lines, HasSubstr("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"));
  ServerScript nobody;
  nobody.replies();
  EXPECT_THAT(nobody.feed(ehlo).replies(), Not(HasSubstr("XCLIENT")));
}

TEST(Xclient, HasItsReplies) {
  struct Case {
    std::string_view reason;
    Trust trust;
    std::string input;
    std::string codes;
  };
  const Trust xclient{.xclient = true};
  const Trust xforward{.xforward = true};
  const Case cases[] = {
      {"the session begins anew", xclient, ehlo + "XCLIENT ADDR=192.0.2.7\r\n" + ehlo,
       "250 220 250"},
      {"the greeting is forgotten", xclient,
       ehlo + "XCLIENT ADDR=192.0.2.7\r\nMAIL FROM:<a@b.example>\r\n", "250 220 503"},
      {"unless XCLIENT says it", xclient,
       "XCLIENT HELO=h.example PROTO=ESMTP\r\nMAIL FROM:<a@b.example> SIZE=10\r\n", "220 250"},
      {"with HELO there are no parameters", xclient,
       "XCLIENT HELO=h.example\r\nMAIL FROM:<a@b.example> SIZE=10\r\n", "220 555"},
      {"not within a transaction", xclient,
       ehlo + "MAIL FROM:<a@b.example>\r\nXCLIENT ADDR=192.0.2.7\r\nRSET\r\n"
              "XCLIENT ADDR=192.0.2.7\r\n",
       "250 250 503 250 220"},
      {"a wrong attribute", xclient, "XCLIENT ADDR=x\r\n", "501"},
      {"not allowed", {}, "XCLIENT ADDR=192.0.2.7\r\n", "550"},
      {"XFORWARD does not allow it", xforward, "XCLIENT ADDR=192.0.2.7\r\n", "550"},
      {"nor the other way round", xclient, "XFORWARD ADDR=192.0.2.7\r\n", "550"},
      {"XFORWARD changes nothing", xforward,
       ehlo + "XFORWARD ADDR=192.0.2.7\r\nMAIL FROM:<a@b.example>\r\nXFORWARD NAME=a\r\n",
       "250 250 250 503"},
      {"a wrong XFORWARD", xforward, "XFORWARD COLOUR=red\r\n", "501"},
  };
  for (const Case& c : cases) {
    for (const std::size_t chunk : {0, 1, 3}) {
      ServerScript script({}, TlsOffer::none, c.trust);
      script.replies();
      script.feed(c.input, chunk);
      EXPECT_EQ(script.first_digits(), c.codes) << c.reason;
    }
  }
}

TEST(Xclient, TheDriverLearnsTheClientAndMayRefuseIt) {
  ServerScript script({}, TlsOffer::none, {.xclient = true});
  script.feed("XCLIENT ADDR=192.0.2.7 NAME=a.example\r\n");
  ASSERT_EQ(script.clients.size(), 1U);
  EXPECT_EQ(script.clients[0].address, v4);

  ServerOptions options;
  options.hostname = "gw.example.com";
  ServerMachine machine(options, TlsOffer::none);
  machine.trust({.xclient = true});
  (void)machine.next();
  machine.feed("XCLIENT ADDR=192.0.2.7\r\n");
  ASSERT_TRUE(std::holds_alternative<ServerMachine::NameClient>(machine.next()));
  machine.answer({421, {4, 3, 2}, "Busy"});
  const auto sent = machine.next();
  EXPECT_EQ(std::get<ServerMachine::Send>(sent).bytes, "421 4.3.2 Busy\r\n");
  EXPECT_TRUE(std::holds_alternative<ServerMachine::Close>(machine.next()));
}

/// One client's errors are not the next one's.
TEST(Xclient, ErrorsAreTheClients) {
  ServerOptions options;
  options.errors_max = 1;
  ServerScript script(options, TlsOffer::none, {.xclient = true});
  script.feed("wrong\r\nXCLIENT ADDR=192.0.2.7\r\nwrong\r\n");
  EXPECT_FALSE(script.closed);
  script.feed("wrong\r\n");
  EXPECT_TRUE(script.closed);
}

TEST(Xforward, HoldsForOneTransaction) {
  ServerScript script({}, TlsOffer::none, {.xforward = true});
  script.feed(ehlo + "XFORWARD NAME=a ADDR=192.0.2.7\r\n" + message + message);
  ASSERT_EQ(script.messages.size(), 2U);
  ASSERT_EQ(script.forwarded.size(), 1U);
  EXPECT_EQ(script.forwarded[0].name, "a");
  script.feed("XFORWARD NAME=b\r\nRSET\r\n" + message);
  EXPECT_EQ(script.forwarded.size(), 1U);
}

}  // namespace
}  // namespace postern::smtp
