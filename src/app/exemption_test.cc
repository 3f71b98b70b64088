#include "app/exemption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::app {
namespace {

using policy::AnswerAt;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ledger::RefusedClient client(std::string_view address, std::vector<std::string> senders) {
  ledger::RefusedClient made;
  made.address = *IpAddress::parse(address);
  made.finding = {.state = "no_ptr", .cause = "no PTR record", .refused = true};
  made.seen.senders = std::move(senders);
  made.wanted_because = {"its name was confirmed"};
  made.to_exempt = true;
  return made;
}

TEST(Exemption, KnowsTheSenderOnlyWhereTheOptionDoes) {
  const IpAddress address = *IpAddress::parse("192.0.2.7");
  EXPECT_EQ(
      exemption(address, "partner.example", "say \"why\"", AnswerAt::rcpt),
      "[[unknown_ip.override]]\nnetwork = \"192.0.2.7\"\nsender_domain = \"partner.example\"\n"
      "action = \"accept\"\ncomment = \"say \\\"why\\\"\"\n");
  EXPECT_THAT(exemption(address, "partner.example", "", AnswerAt::mail),
              HasSubstr("sender_domain"));
  EXPECT_THAT(exemption(address, "partner.example", "", AnswerAt::ehlo),
              Not(HasSubstr("sender_domain")));
}

TEST(Exemption, OfAnImpact) {
  ledger::Impact impact;
  impact.clients = {client("192.0.2.1", {"ann@partner.example", "zoe@Partner.example"}),
                    client("192.0.2.2", {"ann@partner.example", "zoe@example.org"}),
                    client("192.0.2.3", {}), client("192.0.2.4", {"eve@example.org"})};
  impact.clients[2].finding.override_name = "ticket 7";
  impact.clients[3].to_exempt = false;
  EXPECT_THAT(exemptions(impact, AnswerAt::rcpt, 10),
              ElementsAre(HasSubstr("\"192.0.2.1\"\nsender_domain = \"partner.example\"\naction"),
                          HasSubstr("\"192.0.2.2\"\naction")))
      << "nobody whom an override refuses, and nobody for whom only a sender speaks";
  EXPECT_EQ(exemptions(impact, AnswerAt::rcpt, 1).size(), 1U);
  EXPECT_EQ(exemptions_text(impact, AnswerAt::rcpt, 0), "");
}

}  // namespace
}  // namespace postern::app
