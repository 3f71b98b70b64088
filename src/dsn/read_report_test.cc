#include "dsn/read_report.h"

#include <gtest/gtest.h>

#include "dsn/report_fixture.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

std::string composed(const Report& report) {
  return compose(report).content;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(ReadReport, FindsWhatWasComposed) {
  auto report = basic();
  report.recipients = {refused(), expired(), delayed()};
  report.envelope_id = "QQ 314159";
  report.dsn_return = mail::DsnReturn::full;
  const auto read = read_report(composed(report));
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(read->human.starts_with("This is the mail system at host gw.example.net.\r\n"));
  EXPECT_EQ(field_of(read->message, "Reporting-MTA"), "dns; gw.example.net");
  EXPECT_EQ(field_of(read->message, "Original-Envelope-Id"), "QQ 314159");
  EXPECT_EQ(field_of(read->message, "Received-From-MTA"), "dns; mail.example.org (192.0.2.25)");
  EXPECT_EQ(field_of(read->message, "Arrival-Date"), format_rfc5322(report.arrived));
  ASSERT_EQ(read->recipients.size(), 3U);
  const StatusFields& first = read->recipients[0];
  EXPECT_EQ(field_of(first, "original-recipient"), "rfc822;no.body@example.com");
  EXPECT_EQ(field_of(first, "final-recipient"), "rfc822; nobody@example.com");
  EXPECT_EQ(field_of(first, "action"), "failed");
  EXPECT_EQ(field_of(first, "status"), "5.1.1");
  EXPECT_EQ(field_of(first, "remote-mta"), "dns; mx.example.com");
  EXPECT_EQ(field_of(first, "diagnostic-code"), "smtp; " + refused().remote_reply);
  EXPECT_EQ(field_of(first, "last-attempt-date"), format_rfc5322(refused().last_attempt));
  EXPECT_EQ(field_of(first, "will-retry-until"), "");
  EXPECT_EQ(field_of(read->recipients[1], "diagnostic-code"), "X-Postern; connection refused");
  EXPECT_EQ(field_of(read->recipients[2], "remote-mta"), "dns; [192.0.2.7]");
  EXPECT_EQ(field_of(read->recipients[2], "will-retry-until"),
            format_rfc5322(delayed().will_retry_until));
  EXPECT_EQ(read->returned_type, "message/rfc822");
  EXPECT_EQ(read->returned, report.content);
}

TEST(ReadReport, StatusIsOfTheActionsClass) {
  struct Case {
    Action action;
    const char* status;
    const char* told;
  };
  const Case cases[] = {{Action::failed, "5.1.1", "5.1.1"},    {Action::failed, "4.4.7", "4.4.7"},
                        {Action::failed, "2.0.0", "5.0.0"},    {Action::failed, "", "5.0.0"},
                        {Action::delayed, "4.2.0", "4.2.0"},   {Action::delayed, "5.2.0", "4.0.0"},
                        {Action::delivered, "2.1.5", "2.1.5"}, {Action::relayed, "5.0.0", "2.0.0"},
                        {Action::expanded, "", "2.0.0"}};
  for (const Case& c : cases) {
    auto report = basic();
    report.recipients[0].action = c.action;
    report.recipients[0].status = c.status;
    const auto read = read_report(composed(report));
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(field_of(read->recipients[0], "status"), c.told) << c.status;
  }
}

TEST(ReadReport, WhatIsNoReportIsToldApart) {
  const std::string good = composed(basic());
  struct Case {
    const char* from;
    const char* to;
    const char* error;
  };
  const Case cases[] = {
      {"multipart/report", "multipart/mixed", "not multipart/report"},
      {"report-type=delivery-status", "report-type=disposition-notification", "report-type"},
      {"--=_4F7KQ2_0--", "", "do not end"},
      {"boundary=", "x=", "no boundary"},
      {"message/delivery-status", "text/plain", "second part"},
      {"Action: failed\r\n", "", "action"},
      {"Status: 5.1.1\r\n", "Status: 5.1.1\r\nStatus: 5.1.2\r\n", "status"},
      {"Reporting-MTA: dns; gw.example.net\r\n", "", "reporting-mta"},
      {"Action: failed\r\n", "\r\nAction: failed\r\n", "action must"},
      {"\r\nFinal-Recipient", "\r\nnonsense\r\nFinal-Recipient", "no field"},
      {"Content-Transfer-Encoding: 7bit\r\n\r\nReceived",
       "Content-Transfer-Encoding: base64\r\n\r\nReceived", "transfer encoding"},
  };
  ASSERT_TRUE(read_report(good));
  for (const Case& c : cases) {
    const auto read = read_report(replaced(good, c.from, c.to));
    ASSERT_FALSE(read) << c.error;
    EXPECT_TRUE(read.error().contains(c.error)) << c.error << ": " << read.error();
  }
}

}  // namespace
}  // namespace postern::dsn
