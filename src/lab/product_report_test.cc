#include "lab/product_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::lab {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ProductReport, OfARefusalSaysWhatEndedIt) {
  ReportFacts facts;
  facts.kind = ReportKind::refusal;
  facts.host = "mail.partner.example";
  facts.sender = "ann@partner.example";
  facts.recipient = "bob@example.com";
  facts.reply = "550 5.7.25 no PTR record";
  facts.stage = "RCPT TO";
  facts.mx = "gw.example.com";
  facts.content = "Subject: x\r\n\r\n";
  for (const char* product : {"exim", "exchange"}) {
    const auto* profile = upstream::shipped_profiles_read().find(product);
    ASSERT_NE(profile, nullptr);
    const std::string report = product_report(*profile, facts);
    EXPECT_THAT(report, HasSubstr("Action: failed\r\nStatus: 5.7.25\r\n"));
    EXPECT_THAT(report, HasSubstr("Diagnostic-Code: smtp; 550 5.7.25 no PTR record"));
    EXPECT_THAT(report, Not(HasSubstr("retry timeout exceeded")));
    EXPECT_THAT(report, Not(HasSubstr("expired")));
  }
  facts.kind = ReportKind::failure;
  const auto* exim = upstream::shipped_profiles_read().find("exim");
  EXPECT_THAT(product_report(*exim, facts), HasSubstr("retry timeout exceeded"));
  EXPECT_THAT(product_report(*exim, facts), HasSubstr("Status: 5.4.7\r\n"));
}

}  // namespace
}  // namespace postern::lab
