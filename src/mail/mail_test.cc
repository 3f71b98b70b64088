#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mail/address.h"
#include "mail/authentication_results.h"
#include "mail/header_reader.h"
#include "mail/received.h"

namespace postern::mail {
namespace {

TEST(Address, AcceptsMailboxes) {
  const std::string longest_local(local_part_bytes_max - 1, 'l');
  for (const std::string& text : std::vector<std::string>{
           "a@b", "a.b+c@d.example", "!#$%&'*+-/=?^_`{|}~@d.example", "\"a b\"@d.example",
           "\"a\\\"b@c\"@d.example", "\"\"@d.example", "a@[192.0.2.7]", "a@[IPv6:2001:db8::1]",
           "a@[x-tag:what]", "a@under_score.example", "a@xn--bcher-kva.example", "a@1.2",
           longest_local + "@b", std::string(64, 'l') + "@b.example", "Postmaster"}) {
    const auto mailbox = parse_mailbox(text);
    ASSERT_TRUE(mailbox) << text;
    EXPECT_EQ(mailbox->address(), text);
  }
}

TEST(Address, RefusesWhatIsNone) {
  struct Case {
    std::string text;
    AddressError error;
  };
  const std::vector<Case> cases{
      {"", AddressError::syntax},
      {"a", AddressError::syntax},
      {"a@", AddressError::syntax},
      {"@b", AddressError::syntax},
      {".a@b", AddressError::syntax},
      {"a.@b", AddressError::syntax},
      {"a..b@c", AddressError::syntax},
      {"a b@c", AddressError::syntax},
      {"a@b@c", AddressError::syntax},
      {"a@b c", AddressError::syntax},
      {"a@b.", AddressError::syntax},
      {"a@.b", AddressError::syntax},
      {"a@b..c", AddressError::syntax},
      {"a@-b", AddressError::syntax},
      {"a@b-.c", AddressError::syntax},
      {"\"a@b", AddressError::syntax},
      {"\"a\"b@c", AddressError::syntax},
      {"\"a\\", AddressError::syntax},
      {"\"a\tb\"@c", AddressError::syntax},
      {"a@[192.0.2]", AddressError::syntax},
      {"a@[192.0.2.7", AddressError::syntax},
      {"a@[2001:db8::1]", AddressError::syntax},
      {"a@[IPv6:192.0.2.7]", AddressError::syntax},
      {"a@[IPv6:zz]", AddressError::syntax},
      {"a@[]", AddressError::syntax},
      {"a@[tag:b@ours.example]", AddressError::syntax},
      {"a@" + std::string(64, 'x'), AddressError::syntax},
      {"\xc3\xa4@b", AddressError::non_ascii},
      {"a@\xc3\xa4", AddressError::non_ascii},
      {std::string(300, 'a') + "@b", AddressError::too_long},
  };
  for (const Case& c : cases) {
    const auto mailbox = parse_mailbox(c.text);
    ASSERT_FALSE(mailbox) << c.text;
    EXPECT_EQ(mailbox.error(), c.error) << c.text;
  }
}

TEST(Address, ReadsPaths) {
  EXPECT_TRUE(parse_reverse_path("<> SIZE=1")->null);
  EXPECT_EQ(parse_reverse_path("<> SIZE=1")->length, 2U);
  EXPECT_EQ(parse_reverse_path("<a@b> SIZE=1")->length, 5U);
  EXPECT_EQ(parse_forward_path("<@x.example,@y.example:a@b>")->mailbox.address(), "a@b");
  EXPECT_EQ(parse_forward_path("<\"a>b\"@c>x")->mailbox.address(), "\"a>b\"@c");
  EXPECT_TRUE(parse_forward_path("<postmaster>")->mailbox.is_postmaster());
  for (const std::string_view text : {"<>", "a@b", "<a@b", "<a@b>>"}) {
    const auto path = parse_forward_path(text);
    if (text == "<a@b>>")
      EXPECT_EQ(path->length, 5U);
    else
      EXPECT_FALSE(path) << text;
  }
  // RFC 5321 section 4.1.1.2: a sender without a domain is none, the postmaster's neither.
  EXPECT_FALSE(parse_reverse_path("<postmaster>"));
  EXPECT_FALSE(parse_forward_path("<@x.example>"));
  EXPECT_FALSE(parse_forward_path("<@x.example,:a@b>"));
  EXPECT_FALSE(parse_forward_path("<@x.example a@b>"));
}

TEST(Address, UnderstandsQuotedLocalParts) {
  EXPECT_EQ(parse_mailbox("\"a\\\"b c\"@d")->local_part_value(), "a\"b c");
  EXPECT_EQ(parse_mailbox("\"user@other\"@d")->local_part_value(), "user@other");
  EXPECT_TRUE(parse_mailbox("\"post\\master\"@d")->is_postmaster());
  EXPECT_EQ(domain_of("\"a@b\"@c.example"), "c.example");
  EXPECT_EQ(local_part_of("\"a@b\"@c.example"), "\"a@b\"");
  EXPECT_EQ(domain_of("postmaster"), "");
}

TEST(Address, NormalizesDomains) {
  EXPECT_EQ(normalize_domain("EXAMPLE.com."), "example.com");
  EXPECT_EQ(normalize_domain("B\xc3\xbc"
                             "cher.example"),
            "xn--bcher-kva.example");
  EXPECT_EQ(normalize_domain("[IPv6:2001:DB8::1]"), "[ipv6:2001:db8::1]");
}

TEST(HeaderReader, WalksOverFields) {
  const std::string content = "A: 1\r\nB : 2\r\n\tmore\r\nC:\r\n\r\nbody: x\r\n";
  HeaderReader reader(content);
  auto field = reader.next();
  EXPECT_EQ(field->name, "A");
  EXPECT_EQ(field->value, " 1");
  EXPECT_EQ(field->raw, "A: 1\r\n");
  field = reader.next();
  EXPECT_EQ(field->name, "B");
  EXPECT_EQ(unfold(field->value), "2\tmore");
  EXPECT_EQ(field->raw, "B : 2\r\n\tmore\r\n");
  field = reader.next();
  EXPECT_EQ(field->name, "C");
  EXPECT_EQ(field->value, "");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(content.substr(reader.body_offset()), "body: x\r\n");
}

TEST(HeaderReader, EndsAtALineThatIsNoField) {
  for (const std::string content : {"A: 1\r\nno field\r\nB: 2\r\n", "A: 1\r\nb c: x\r\n"}) {
    HeaderReader reader(content);
    EXPECT_TRUE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.body_offset(), 6U);
  }
  HeaderReader folded_first(" A: 1\r\n");
  EXPECT_FALSE(folded_first.next());
  HeaderReader empty("");
  EXPECT_FALSE(empty.next());
}

TEST(HeaderReader, FindsAField) {
  EXPECT_EQ(find_header("Subject: a\r\n b\r\nFrom: x\r\n\r\nsubject: c\r\n", "SUBJECT"), "a b");
  EXPECT_FALSE(find_header("From: x\r\n\r\nSubject: c\r\n", "subject"));
}

TEST(Received, IsWrittenAsATraceField) {
  Received received;
  received.helo = "mail.example.com";
  received.client = *IpAddress::parse("192.0.2.7");
  received.client_name = "mail.example.com";
  received.by = "gw.example.com";
  received.protocol = protocol_word(true, false);
  received.id = "4F7KQ2ABCDEFG";
  received.recipient = "bob@example.net";
  received.when = WallTime(std::chrono::seconds(1795500000));
  const std::string field = compose_received(received);
  EXPECT_EQ(field,
            "Received: from mail.example.com (mail.example.com [192.0.2.7])\r\n"
            "\tby gw.example.com with ESMTP id 4F7KQ2ABCDEFG for <bob@example.net>;\r\n"
            "\t" +
                format_rfc5322(received.when) + "\r\n");
}

TEST(Received, LeavesOutAHeloThatCouldForgeIt) {
  Received received;
  received.helo = "a)by\rx;";
  received.client = *IpAddress::parse("2001:db8::1");
  received.by = "gw.example.com";
  received.protocol = "SMTP";
  received.id = "X";
  const std::string field = compose_received(received);
  EXPECT_TRUE(field.starts_with("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) by gw"))
      << field;
  EXPECT_THAT(field, testing::Not(testing::HasSubstr("for")));
}

TEST(Received, NamesTheProtocol) {
  EXPECT_EQ(protocol_word(false, false), "SMTP");
  EXPECT_EQ(protocol_word(false, true), "SMTP");
  EXPECT_EQ(protocol_word(true, true), "ESMTPS");
}

TEST(AuthenticationResults, IsComposed) {
  AuthenticationResult result{
      "iprev", "pass", "mail.example.com", {{"policy", "iprev", "192.0.2.7"}}};
  EXPECT_EQ(compose_authentication_results("gw.example.com", {&result, 1}),
            "Authentication-Results: gw.example.com;\r\n\tiprev=pass (mail.example.com)\r\n"
            "\tpolicy.iprev=192.0.2.7\r\n");
  result.comment = "a)b\\\r\n";
  result.properties[0].value = "2001:db8::1";
  EXPECT_EQ(compose_authentication_results("gw.example.com", {&result, 1}),
            "Authentication-Results: gw.example.com;\r\n\tiprev=pass (a\\)b\\\\?\?)\r\n"
            "\tpolicy.iprev=\"2001:db8::1\"\r\n");
  EXPECT_EQ(compose_authentication_results("gw.example.com", {}),
            "Authentication-Results: gw.example.com; none\r\n");
}

TEST(AuthenticationResults, FindsForgedOnes) {
  using enum AuthservClaim;
  struct Case {
    std::string_view value;
    AuthservClaim claim;
  };
  const std::vector<Case> cases{
      {" gw.example.com; spf=pass", ours},
      {" GW.Example.COM; spf=pass", ours},
      {" gw.example.com.; spf=pass", ours},
      {"gw.example.com 1; spf=pass", ours},
      {"gw.example.com", ours},
      {" \"gw.example.com\"; spf=pass", ours},
      {" \"gw.\\example.com\"; spf=pass", ours},
      {" (a (nested\\)) comment) gw.example.com; spf=pass", ours},
      {"\r\n\t gw.example.com; none", ours},
      {" gw.example.com/x; none", ours},
      {" mx.example.net; spf=pass", other},
      {" mx.example.net 1; spf=pass", other},
      {" mx.example.net (gw.example.com); spf=pass", other},
      {" notgw.example.com; none", other},
      {" gw.example.com.evil; none", other},
      {"", unreadable},
      {" ;", unreadable},
      {" (open comment gw.example.com; none", unreadable},
      {" \"gw.example.com; none", unreadable},
      {" mx.example.net gw.example.com; none", unreadable},
      {" mx.example.net/gw; none", unreadable},
      {" =?utf-8?q?gw.example.com?=; none", unreadable},
  };
  for (const Case& c : cases)
    EXPECT_EQ(authserv_claim(c.value, "gw.example.com"), c.claim) << c.value;
}

}  // namespace
}  // namespace postern::mail
