#include "policy/recipient_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sim/sim_world.h"

namespace postern::policy {
namespace {

using testing::HasSubstr;

RecipientRule list_rule(std::string domain, std::string_view list) {
  RecipientRule rule;
  rule.domain = std::move(domain);
  rule.source = RecipientSource::list;
  rule.list = RecipientList::parse(list).list;
  rule.list_name = "/etc/recipients";
  return rule;
}

class RecipientCheckTest : public testing::Test {
 protected:
  static io::Task<> check_into(RecipientCheck* check, mail::Mailbox mailbox,
                               RecipientVerdict* verdict) {
    *verdict = co_await check->check(std::move(mailbox), Patience::wait);
  }
  RecipientVerdict verdict(std::string_view address) {
    RecipientVerdict found;
    EXPECT_TRUE(sim_.run_task(host_, check_into(&check_, *mail::parse_mailbox(address), &found)));
    return found;
  }

  io::SimWorld sim_{1};
  io::SimHost& host_ = sim_.add_host("mx", *IpAddress::parse("192.0.2.250"));
  RecipientCheck check_{host_.world(), nullptr, {}};
};

TEST_F(RecipientCheckTest, DecidesByTheMostSpecificRule) {
  using enum RecipientState;
  RecipientOptions options;
  RecipientRule open;
  open.domain = "c.example.com";
  options.rules = {list_rule("example.com", "bob@example.com"),
                   list_rule(".example.com", "@a.example.com\nbob@x.b.example.com"),
                   list_rule(".b.example.com", "carol@x.b.example.com"), open,
                   list_rule("example.com", "never@example.com")};
  check_.set_options(options);
  struct Case {
    const char* address;
    RecipientState state;
  };
  const Case cases[] = {
      {"bob@example.com", known},
      {"BOB@Example.COM", known},
      {"carol@example.com", unknown},
      {"never@example.com", unknown},
      {"anybody@a.example.com", known},
      {"anybody@d.example.com", unknown},
      {"carol@x.b.example.com", known},
      {"bob@x.b.example.com", unknown},
      {"anybody@c.example.com", unchecked},
      {"anybody@example.net", unchecked},
      {"postmaster@example.com", unchecked},
      {"\"PostMaster\"@example.com", unchecked},
  };
  for (const Case& c : cases)
    EXPECT_EQ(state_name(verdict(c.address).state), state_name(c.state)) << c.address;
}

TEST_F(RecipientCheckTest, SaysItInPostfixsWords) {
  RecipientOptions options;
  options.rules = {list_rule("example.com", "bob@example.com"),
                   list_rule("example.net", "bob@example.net")};
  options.rules[1].when_unknown = WhenUnknown::reply_450;
  check_.set_options(options);
  const RecipientVerdict refused = verdict("Carol@Example.com");
  EXPECT_EQ(refused.reply,
            "550 5.1.1 <Carol@Example.com>: Recipient address rejected: User unknown");
  EXPECT_EQ(refused.cause, "not in /etc/recipients");
  EXPECT_EQ(source_name(refused.source), "list");
  EXPECT_EQ(verdict("carol@example.net").reply,
            "450 4.1.1 <carol@example.net>: Recipient address rejected: User unknown");
  EXPECT_EQ(verdict("bob@example.com").reply, "");
}

TEST_F(RecipientCheckTest, RepliesAreBoundedAndPrintable) {
  const mail::Mailbox long_one{std::string(240, '\\'), "example.com"};
  const std::string reply = unknown_reply(long_one, WhenUnknown::reply_550);
  EXPECT_LE(reply.size(), 510U);
  EXPECT_THAT(unknown_reply({"\"a\r\nb\"", "example.com"}, WhenUnknown::reply_550),
              HasSubstr("<\"a\\x0d\\x0ab\"@example.com>"));
}

}  // namespace
}  // namespace postern::policy
