#include "dns/zone_text.h"

#include <gtest/gtest.h>

#include "dns/zone_resolver.h"

namespace postern::dns {
namespace {

Zone zone_of(std::string_view text) {
  auto zone = Zone::parse(text);
  EXPECT_TRUE(zone.has_value()) << (zone ? "" : zone.error().what);
  return zone ? *std::move(zone) : Zone{};
}

Answer ask(std::string_view zone_text, const std::string& name, Type type) {
  return answer_from_zone(zone_of(zone_text), name, type).answer;
}

TEST(ZoneText, ReadsEveryType) {
  const Zone zone = zone_of(
      "; a comment\n"
      "$ORIGIN Example.com.\n"
      "$TTL 600\n"
      "@ IN SOA ns hostmaster 1 2 3 4 5\n"
      "@ MX 10 mail\n"
      "  MX 5 backup.example.net.\n"
      "  NS ns\n"
      "mail 120 IN A 192.0.2.1 ; inline\n"
      "mail AAAA 2001:db8::1\r\n"
      "www CNAME mail\n"
      "text TXT \"v=spf1 -all; \" \"two\\\"\"\n"
      "[192.0.2.1] PTR mail\n"
      "[2001:db8::1] PTR mail.example.com.\n");
  const Answer mx = answer_from_zone(zone, "example.com", Type::mx).answer;
  ASSERT_EQ(mx.mail_exchanges.size(), 2U);
  EXPECT_EQ(mx.mail_exchanges[0], (Mx{5, "backup.example.net"}));
  EXPECT_EQ(mx.mail_exchanges[1], (Mx{10, "mail.example.com"}));
  EXPECT_EQ(mx.ttl_seconds, 600U);

  const Answer www = answer_from_zone(zone, "www.example.com", Type::a).answer;
  EXPECT_EQ(www.status, Status::ok);
  EXPECT_EQ(www.canonical_name, "mail.example.com");
  EXPECT_EQ(www.ttl_seconds, 120U) << "smallest along the chain";
  EXPECT_EQ(answer_from_zone(zone, "text.example.com", Type::txt).answer.texts,
            std::vector<std::string>{"v=spf1 -all; two\""});
  EXPECT_EQ(answer_from_zone(zone, "1.2.0.192.in-addr.arpa", Type::ptr).answer.names,
            std::vector<std::string>{"mail.example.com"});
  EXPECT_EQ(answer_from_zone(zone, IpAddress::parse("2001:db8::1")->reverse_name(), Type::ptr)
                .answer.names,
            std::vector<std::string>{"mail.example.com"});
}

TEST(ZoneText, TellsStatusesApart) {
  constexpr std::string_view zone =
      "mail.example.com A 192.0.2.1\n"
      "gone.example.com NXDOMAIN\n"
      "half.example.com A SERVFAIL\n"
      "half.example.com AAAA 2001:db8::1\n"
      "silent.example.com TIMEOUT\n"
      "lame.example.com REFUSED\n"
      "forged.example.com A BOGUS\n"
      "empty.example.com NODATA\n"
      "alias.example.com CNAME gone.example.com\n"
      "loop.example.com CNAME pool.example.com\n"
      "pool.example.com CNAME loop.example.com\n"
      "*.wild.example.com A 192.0.2.9\n"
      "there.wild.example.com TXT x\n";
  struct Case {
    const char* name;
    Type type;
    Status expected;
  };
  const Case cases[] = {
      {"mail.example.com", Type::a, Status::ok},
      {"mail.example.com", Type::aaaa, Status::no_data},
      {"example.com", Type::a, Status::no_data},  // a name above others exists
      {"other.example.com", Type::a, Status::nx_domain},
      {"gone.example.com", Type::a, Status::nx_domain},
      {"half.example.com", Type::a, Status::serv_fail},
      {"half.example.com", Type::aaaa, Status::ok},
      {"silent.example.com", Type::a, Status::timed_out},
      {"lame.example.com", Type::ptr, Status::serv_fail},
      {"forged.example.com", Type::a, Status::bogus},
      {"empty.example.com", Type::a, Status::no_data},
      {"alias.example.com", Type::a, Status::nx_domain},
      {"loop.example.com", Type::a, Status::serv_fail},
      {"any.wild.example.com", Type::a, Status::ok},
      {"a.b.wild.example.com", Type::a, Status::ok},
      {"there.wild.example.com", Type::a, Status::no_data},
      {"wild.example.com", Type::a, Status::no_data},
  };
  for (const Case& c : cases)
    EXPECT_EQ(status_name(ask(zone, c.name, c.type).status), status_name(c.expected)) << c.name;
  EXPECT_EQ(ask(zone, "gone.example.com", Type::a).ttl_seconds, Zone::negative_ttl_seconds);
  EXPECT_EQ(ask(zone, "lame.example.com", Type::a).ttl_seconds, 0U);
}

TEST(ZoneText, SortsAndRemovesDoubles) {
  const Answer answer =
      ask("[192.0.2.1] PTR b.example\n[192.0.2.1] PTR A.example\n"
          "[192.0.2.1] PTR b.example\n",
          "1.2.0.192.in-addr.arpa", Type::ptr);
  EXPECT_EQ(answer.names, (std::vector<std::string>{"a.example", "b.example"}));
}

TEST(ZoneText, SaysWhichLineIsWrong) {
  struct Case {
    const char* text;
    const char* problem;
  };
  const Case cases[] = {
      {"a A 192.0.2.1\nb A 2001:db8::1\n", "line 2: \"2001:db8::1\" is not an address"},
      {"a AAAA 192.0.2.1", "line 1: \"192.0.2.1\" is not an address"},
      {"a SRV 1 2 3 b", "unknown record type SRV"},
      {"a", "type is missing"},
      {"a A", "value is missing"},
      {"a A 192.0.2.1 192.0.2.2", "wants one value"},
      {"a MX mail", "MX wants a preference and a name"},
      {"a MX 70000 mail", "not a number below 65536"},
      {"a TXT \"open", "a quote is not closed"},
      {"  A 192.0.2.1", "no name stands above it"},
      {"a..b A 192.0.2.1", "is not a domain name"},
      {"$INCLUDE other", "unknown directive $INCLUDE"},
      {"$TTL soon", "$TTL is not a number"},
      {"[192.0.2.300] PTR a.example", "is not a domain name"},
  };
  for (const Case& c : cases) {
    const auto zone = Zone::parse(c.text);
    ASSERT_FALSE(zone.has_value()) << c.text;
    EXPECT_NE(zone.error().what.find(c.problem), std::string::npos) << zone.error().what;
    EXPECT_EQ(zone.error().blame, Blame::operator_);
  }
}

}  // namespace
}  // namespace postern::dns
