#include "dsn/compose.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include "base/text.h"
#include "dsn/read_report.h"
#include "dsn/report_fixture.h"
#include "dsn/rules.h"
#include "dsn/text.h"
#include "mail/header_reader.h"
#include "support/source_path.h"

namespace postern::dsn {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Compares with tests/golden/dsn/NAME; what came instead is left beside it as NAME.actual.
void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = source_path("tests/golden/dsn/" + name);
  if (read_file(path) == actual) {
    std::remove((path + ".actual").c_str());
    return;
  }
  std::ofstream(path + ".actual", std::ios::binary) << actual;
  FAIL() << path << " differs; accept with: mv " << path << ".actual " << path;
}

void expect_well_formed(const std::string& message) {
  std::size_t line = 0;
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '\r') {
      ASSERT_EQ(message[i + 1], '\n') << "at " << i;
      line = 0;
      ++i;
      continue;
    }
    ASSERT_NE(message[i], '\n') << "bare LF at " << i;
    ASSERT_NE(message[i], '\0') << "NUL at " << i;
    ASSERT_LE(++line, line_bytes_max);
  }
  EXPECT_TRUE(message.ends_with("--\r\n"));
}

bool seven_bit(const std::string& message) {
  return std::ranges::all_of(message, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

TEST(Compose, FailureReturnsHeadersByDefault) {
  const auto composed = compose(basic());
  expect_well_formed(composed.content);
  EXPECT_EQ(composed.body, mail::BodyType::seven_bit);
  EXPECT_FALSE(composed.content.contains("Body text"));
  expect_golden("failure.eml", composed.content);
}

TEST(Compose, RetFullReturnsTheWholeMessage) {
  auto report = basic();
  report.dsn_return = mail::DsnReturn::full;
  report.envelope_id = "QQ314159";
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  expect_golden("failure-full.eml", composed.content);
}

TEST(Compose, SeveralRecipientsOfEveryKind) {
  auto report = basic();
  report.recipients = {refused(), expired(), relayed(), delayed()};
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  expect_golden("mixed.eml", composed.content);
}

TEST(Compose, SuccessOfEveryKind) {
  auto report = basic();
  RecipientResult delivered = relayed();
  delivered.final_recipient = "erin@example.com";
  delivered.action = Action::delivered;
  RecipientResult expanded = relayed();
  expanded.final_recipient = "list@example.com";
  expanded.action = Action::expanded;
  report.recipients = {delivered, expanded, relayed()};
  report.dsn_return = mail::DsnReturn::full;
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_FALSE(composed.content.contains("Body text")) << "RET=FULL is for failures only";
  expect_golden("success.eml", composed.content);
}

TEST(Compose, GermanIsEncoded) {
  auto report = basic();
  report.recipients = {refused(), expired()};
  report.wordings = std::span(Wording::shipped("de"), 1);
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_TRUE(seven_bit(composed.content));
  expect_golden("german.eml", composed.content);
  const auto read = read_report(composed.content);
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(read->human.contains("Leider konnte Ihre Nachricht nicht allen Empf\u00e4ngern "));
}

TEST(Compose, SeveralLanguagesOneBelowTheOther) {
  auto report = basic();
  const std::vector<Wording> both{*Wording::shipped("de"), *Wording::shipped("en")};
  report.wordings = both;
  const auto composed = compose(report);
  expect_golden("two-languages.eml", composed.content);
  const auto read = read_report(composed.content);
  ASSERT_TRUE(read) << read.error();
  EXPECT_LT(read->human.find("Der Server mx.example.com antwortete: 550"),
            read->human.find("The server mx.example.com said: 550"));
}

TEST(Compose, PostmasterReadsAnotherText) {
  auto report = basic();
  report.audience = Audience::postmaster;
  report.to = "postmaster@gw.example.net";
  const auto composed = compose(report);
  EXPECT_FALSE(composed.content.contains("your message"));
  expect_golden("postmaster.eml", composed.content);
}

// RFC 6533: what is not ASCII has an ASCII form as long as the report's own address is ASCII.
TEST(Compose, InternationalMailToAnAsciiSender) {
  auto report = international();
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_FALSE(composed.smtputf8);
  EXPECT_EQ(composed.body, mail::BodyType::seven_bit);
  EXPECT_TRUE(seven_bit(composed.content));
  expect_golden("international.eml", composed.content);

  report.dsn_return = mail::DsnReturn::full;
  const auto whole = compose(report);
  EXPECT_TRUE(seven_bit(whole.content));
  const auto read = read_report(whole.content);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->returned_type, "message/global");
  EXPECT_EQ(read->returned, report.content);
}

TEST(Compose, InternationalMailToAnInternationalSender) {
  auto report = international();
  report.to = "\u00e9lise@example.org";
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_TRUE(composed.smtputf8);
  EXPECT_EQ(composed.body, mail::BodyType::eight_bit_mime);
  EXPECT_TRUE(composed.content.contains("\r\nTo: <\u00e9lise@example.org>\r\n"));
  expect_golden("international-smtputf8.eml", composed.content);

  report.dsn_return = mail::DsnReturn::full;
  const auto whole = compose(report);
  EXPECT_TRUE(
      whole.content.contains("Content-Type: message/global\r\n"
                             "Content-Transfer-Encoding: 8bit\r\n"));
}

TEST(Compose, EightBitHeaderWithoutSmtpUtf8IsNoInternationalMail) {
  auto report = basic();
  report.content = "Subject: caf\xe9\r\n\r\nbody\r\n";
  const auto read = read_report(compose(report).content);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->returned_type, "text/rfc822-headers");
  EXPECT_EQ(read->returned, "Subject: caf\xe9\r\n");
}

TEST(Compose, AnswersInTheThread) {
  struct Case {
    const char* why;
    std::string content;
    const char* in_reply_to;  // empty: neither field
    const char* references;
  };
  const Case cases[] = {
      {"an id", "Message-ID: <a@b>\r\n", "<a@b>", "<a@b>"},
      {"any case, folded", "message-id:\r\n <a@b>\r\n", "<a@b>", "<a@b>"},
      {"references go before", "References: <x@y>\r\n <z@y>\r\nMessage-ID: <a@b>\r\n", "<a@b>",
       "<x@y> <z@y> <a@b>"},
      {"bad references are left out", "References: who <x@y>\r\nMessage-ID: <a@b>\r\n", "<a@b>",
       "<a@b>"},
      {"none", "Subject: x\r\n", "", ""},
      {"no brackets", "Message-ID: a@b\r\n", "", ""},
      {"no domain", "Message-ID: <a@>\r\n", "", ""},
      {"two", "Message-ID: <a@b> <c@d>\r\n", "", ""},
      {"a space inside", "Message-ID: <a b@c>\r\n", "", ""},
      {"8-bit", "Message-ID: <\xc3\xa9@c>\r\n", "", ""},
      {"too long", "Message-ID: <" + std::string(300, 'a') + "@c>\r\n", "", ""},
      {"in the body", "Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", "", ""},
  };
  for (const Case& c : cases) {
    auto report = basic();
    report.content = c.content;
    const auto content = compose(report).content;
    EXPECT_EQ(mail::find_header(content, "In-Reply-To").value_or(""), c.in_reply_to) << c.why;
    EXPECT_EQ(mail::find_header(content, "References").value_or(""), c.references) << c.why;
  }
  auto report = basic();
  std::string many = "References:";
  for (int i = 0; i < 500; ++i) many += "\r\n <" + std::to_string(i) + "@example.org>";
  const std::string with_many = many + "\r\nMessage-ID: <a@b>\r\n\r\n";
  report.content = with_many;
  const auto references = *mail::find_header(compose(report).content, "References");
  EXPECT_TRUE(references.starts_with("<0@example.org> <482@example.org> ")) << references;
  EXPECT_TRUE(references.ends_with(" <499@example.org> <a@b>")) << references;
}

TEST(Compose, NeverBoundlessWhateverTheNumberOfRecipients) {
  auto report = basic();
  report.recipients.clear();
  for (int i = 0; i < 1000; ++i) {
    auto result = refused();
    result.final_recipient = std::to_string(i) + "@example.com";
    result.remote_reply = "550 5.1." + std::to_string(i) + " " + std::string(990, 'x');
    result.status = "5.1." + std::to_string(i);
    report.recipients.push_back(result);
  }
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_LT(composed.content.size(), 700'000U) << "1000 recipients, each with 1000 bytes of reply";
  const auto read = read_report(composed.content);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->recipients.size(), 1000U) << "programs are told of each";
  EXPECT_LT(read->human.size(), 80'000U);
  EXPECT_TRUE(read->human.contains("\r\nAnd 950 more recipients.")) << read->human.substr(0, 3000);
}

TEST(Compose, DelaySaysThatNothingNeedsToBeDone) {
  auto report = basic();
  report.recipients = {delayed()};
  report.dsn_return = mail::DsnReturn::full;
  const auto composed = compose(report);
  EXPECT_TRUE(composed.content.contains("\r\nWill-Retry-Until: "));
  EXPECT_FALSE(composed.content.contains("Body text")) << "RET=FULL is for failures only";
  expect_golden("delayed.eml", composed.content);
}

TEST(Compose, PeersCannotWriteLinesOfTheirOwn) {
  auto report = basic();
  report.recipients[0].remote_reply =
      "550 no\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; x@y\n--bound\x01\xff";
  report.recipients[0].remote_name = "mx\r\nX-Evil: 1";
  report.recipients[0].final_recipient = "a\r\nBcc: x@example.com\r\n@example.com";
  report.recipients[0].original_recipient = "rfc822\r\nX: 1;a@b\r\nY: 2";
  report.recipients[0].status = "5.1.1\r\nX-Evil: 1";
  report.envelope_id = "id\r\nX-Evil: 1";
  report.received_from = "h\r\nX-Evil: 1";
  report.to = "alice@example.org>\r\nBcc: <victim@example.com";
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_TRUE(seven_bit(composed.content));
  for (const auto* forged : {"\r\nX-Evil", "\r\nAction: delivered", "\r\nBcc", "\r\n--bound",
                             "\r\nX:", "\r\nY:", "\r\nFinal-Recipient: rfc822; x@y"})
    EXPECT_FALSE(composed.content.contains(forged)) << forged;
  EXPECT_TRUE(composed.content.contains("Status: 5.0.0\r\n"));
}

TEST(Compose, OnlyHostsAndAddressesAreNamedAsMtas) {
  struct Case {
    const char* why;
    const char* helo;
    const char* address;
    const char* told;
  };
  const Case cases[] = {
      {"a name", "mail.example.org", "192.0.2.25", "dns; mail.example.org (192.0.2.25)"},
      {"a NetBIOS name", "MY_PC", "192.0.2.25", "dns; MY_PC (192.0.2.25)"},
      {"a literal", "[192.0.2.9]", "192.0.2.25", "dns; [192.0.2.9] (192.0.2.25)"},
      {"an address", "192.0.2.9", "192.0.2.25", "dns; [192.0.2.9] (192.0.2.25)"},
      {"IPv6", "[IPv6:2001:db8::9]", "2001:db8::25", "dns; [IPv6:2001:db8::9] (2001:db8::25)"},
      {"no name", "", "2001:db8::25", "dns; [IPv6:2001:db8::25]"},
      {"no address", "mail.example.org", "", "dns; mail.example.org"},
      {"what is no name", "<a>;(b\\)", "192.0.2.25", "dns; [192.0.2.25]"},
      {"empty labels", ".a..b", "192.0.2.25", "dns; [192.0.2.25]"},
      {"brackets around nothing", "[]", "192.0.2.25", "dns; [192.0.2.25]"},
      {"no name, no address", "a(b", "", ""},
  };
  for (const Case& c : cases) {
    auto report = basic();
    report.received_from = c.helo;
    report.received_address = c.address;
    const auto read = read_report(compose(report).content);
    ASSERT_TRUE(read) << c.why;
    EXPECT_EQ(field_of(read->message, "Received-From-MTA"), c.told) << c.why;
  }
  auto report = basic();
  report.recipients[0].remote_name = "mx\\032 .example.com";
  const auto read = read_report(compose(report).content);
  ASSERT_TRUE(read);
  EXPECT_EQ(field_of(read->recipients[0], "Remote-MTA"), "");
}

TEST(Compose, LongTextIsCutAndFolded) {
  auto report = basic();
  report.recipients[0].remote_reply = "550 " + std::string(100'000, 'x');
  report.recipients[0].final_recipient = std::string(5000, 'a') + "@example.com";
  const auto composed = compose(report);
  expect_well_formed(composed.content);
  EXPECT_LT(composed.content.size(), 16'000U);
}

TEST(Compose, EightBitHeaderComesBackEncoded) {
  auto report = basic();
  report.content = "Subject: caf\xc3\xa9 = 1 \r\n\r\nbody\r\n";
  const auto composed = compose(report);
  EXPECT_TRUE(seven_bit(composed.content));
  EXPECT_EQ(composed.body, mail::BodyType::seven_bit);
  EXPECT_TRUE(composed.content.contains("Subject: caf=C3=A9 =3D 1=20\r\n"));
}

TEST(Compose, WholeEightBitMessageMakesAnEightBitReport) {
  auto report = basic();
  report.dsn_return = mail::DsnReturn::full;
  report.content = "Subject: x\r\n\r\ncaf\xc3\xa9\r\n";
  const auto composed = compose(report);
  EXPECT_EQ(composed.body, mail::BodyType::eight_bit_mime);
  EXPECT_TRUE(composed.content.contains("\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x"));
}

TEST(Compose, WhatCannotTravelWholeComesBackAsHeader) {
  struct Case {
    const char* why;
    std::string content;
    bool complete;
  };
  const Case cases[] = {
      {"a line over 998", "Subject: s\r\n\r\n" + std::string(999, 'x') + "BODY\r\n", true},
      {"a NUL", "Subject: s\r\n\r\n" + std::string(1, '\0') + "BODY\r\n", true},
      {"a bare LF", "Subject: s\r\n\r\nx\nBODY\r\n", true},
      {"only the beginning is there", "Subject: s\r\n\r\nBODY\r\n", false},
      {"too large", "Subject: s\r\n\r\nBODY" + std::string(100'000, '\n'), true},
  };
  for (const Case& c : cases) {
    auto report = basic();
    report.dsn_return = mail::DsnReturn::full;
    report.content = c.content;
    report.content_complete = c.complete;
    const auto composed = compose(report);
    expect_well_formed(composed.content);
    EXPECT_TRUE(composed.content.contains("Content-Type: text/rfc822-headers")) << c.why;
    EXPECT_TRUE(composed.content.contains("\r\n\r\nSubject: s\r\n")) << c.why;
    EXPECT_FALSE(composed.content.contains("BODY")) << c.why;
  }
}

TEST(Compose, HeaderIsCutAtALine) {
  auto report = basic();
  std::string header;
  for (int i = 0; i < 5000; ++i) header += "X-Line: 0123456789012345678901234567890123456789\r\n";
  report.content = header;
  const auto composed = compose(report, {.header_bytes_max = 1000});
  expect_well_formed(composed.content);
  EXPECT_LT(composed.content.size(), 5000U);
  EXPECT_TRUE(composed.content.contains("0123456789\r\n\r\n--=_"));
}

TEST(Compose, BoundaryDoesNotOccurInTheContent) {
  auto report = basic();
  report.dsn_return = mail::DsnReturn::full;
  report.content = "Subject: x\r\n\r\n--=_4F7KQ2_0--\r\n--=_4F7KQ2_1\r\n";
  const auto composed = compose(report);
  EXPECT_TRUE(composed.content.contains("boundary=\"=_4F7KQ2_2\""));
}

TEST(Compose, EmptyAndHeaderlessContent) {
  for (const char* content : {"", "\r\nbody\r\n", "no line end"}) {
    auto report = basic();
    report.content = content;
    expect_well_formed(compose(report).content);
  }
}

// An independent reader must find the structure that RFC 6522 and RFC 3464 ask for.
TEST(Compose, PythonReadsIt) {
  ASSERT_EQ(std::system("python3 -c 'import email' 2>/dev/null"), 0)
      << "install python3: nothing else reads the report independently";
  auto report = basic();
  report.recipients.push_back(refused());
  report.dsn_return = mail::DsnReturn::full;
  const std::string path = testing::TempDir() + "/postern-dsn-report.eml";
  std::ofstream(path, std::ios::binary) << compose(report).content;
  const std::string script = R"(
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
assert m.get_content_type() == "multipart/report", m.get_content_type()
assert m.get_param("report-type") == "delivery-status"
assert m["Auto-Submitted"] == "auto-replied" and m["Message-ID"] and m["Date"].datetime
assert not m.defects, m.defects
human, status, original = m.get_payload()
assert human.get_content_type() == "text/plain"
assert "no such user" in " ".join(human.get_content().split())
assert status.get_content_type() == "message/delivery-status"
parts = status.get_payload()
assert len(parts) == 3, len(parts)
assert parts[0]["Reporting-MTA"] == "dns; gw.example.net"
for p in parts[1:]:
  assert p["Action"] == "failed" and p["Status"] == "5.1.1"
  assert p["Final-Recipient"] == "rfc822; nobody@example.com"
  assert p["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
assert original.get_content_type() == "message/rfc822"
assert original.get_payload(0)["Subject"] == "hello"
assert original.get_payload(0).get_content().strip() == "Body text"
)";
  const std::string script_path = testing::TempDir() + "/postern-dsn-check.py";
  std::ofstream(script_path) << script;
  EXPECT_EQ(std::system(("python3 " + script_path + " " + path).c_str()), 0);
}

TEST(Rules, LoopsAndNotify) {
  EXPECT_FALSE(may_report(""));
  EXPECT_TRUE(may_report("a@example.com"));
  EXPECT_TRUE(wants_failure_report({}));
  EXPECT_FALSE(wants_failure_report({.specified = true, .never = true}));
  EXPECT_FALSE(wants_failure_report({.specified = true, .success = true}));
  EXPECT_TRUE(wants_failure_report({.specified = true, .failure = true}));
  EXPECT_FALSE(wants_success_report({}));
  EXPECT_TRUE(wants_success_report({.specified = true, .success = true}));
  EXPECT_FALSE(wants_success_report({.specified = true, .never = true, .success = true}));
}

}  // namespace
}  // namespace postern::dsn
