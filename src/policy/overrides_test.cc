#include "policy/overrides.h"

#include <gtest/gtest.h>

namespace postern::policy {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now(std::chrono::hours(24 * 20'000));

Override rule(std::string name, std::string_view network, std::string ptr = {},
              std::string sender = {}, std::string recipient = {}) {
  Override made;
  if (!network.empty()) made.network = *IpNetwork::parse(network);
  made.ptr_domain = std::move(ptr);
  made.sender_domain = std::move(sender);
  made.recipient_domain = std::move(recipient);
  made.comment = std::move(name);
  return made;
}

std::string found(const Overrides& overrides, std::string_view client, std::string_view ptr = {},
                  std::string_view sender = {}, std::string_view recipient = {}) {
  const Override* override = overrides.find({.client = *IpAddress::parse(client),
                                             .confirmed_name = ptr,
                                             .sender_domain = sender,
                                             .recipient_domain = recipient,
                                             .now = now});
  return override == nullptr ? "none" : override->comment;
}

TEST(Overrides, TheMostSpecificCounts) {
  const Overrides overrides({
      rule("recipient", "", "", "", "example.net"),
      rule("sender below", "", "", ".partner.example"),
      rule("sender", "", "", "mail.partner.example"),
      rule("wide", "192.0.0.0/16"),
      rule("narrow", "192.0.2.0/24"),
      rule("both", "192.0.2.0/24", "", "", "example.net"),
      rule("first of equals", "198.51.100.0/24"),
      rule("second of equals", "198.51.100.0/24"),
  });
  EXPECT_EQ(found(overrides, "192.0.2.1"), "narrow");
  EXPECT_EQ(found(overrides, "192.0.3.1"), "wide");
  EXPECT_EQ(found(overrides, "192.0.2.1", "", "", "example.net"), "both");
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "", "example.net"), "recipient");
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "mail.partner.example", "example.net"), "sender");
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "x.partner.example", "example.net"),
            "sender below");
  EXPECT_EQ(found(overrides, "198.51.100.9"), "first of equals");
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "partner.example"), "none");
  EXPECT_EQ(found(Overrides(), "203.0.113.1"), "none");
}

TEST(Overrides, ANameCountsOnlyWhenItIsConfirmed) {
  const Overrides overrides({rule("theirs", "", ".partner.example")});
  EXPECT_EQ(found(overrides, "192.0.2.1", "mx.partner.example"), "theirs");
  EXPECT_EQ(found(overrides, "192.0.2.1", ""), "none");
  EXPECT_EQ(found(overrides, "192.0.2.1", "mxpartner.example"), "none");
}

TEST(Overrides, TheNullReversePathHasNoDomain) {
  const Overrides overrides({rule("theirs", "", "", "partner.example")});
  EXPECT_EQ(found(overrides, "192.0.2.1", "", ""), "none");
}

TEST(Overrides, AfterItsEndItIsNotThere) {
  Override short_one = rule("short", "192.0.2.0/24");
  short_one.expires = now;
  const Overrides overrides({short_one, rule("lasting", "192.0.0.0/16")});
  EXPECT_EQ(found(overrides, "192.0.2.1"), "lasting");
  short_one.expires = now + 1s;
  EXPECT_EQ(found(Overrides({short_one, rule("lasting", "192.0.0.0/16")}), "192.0.2.1"), "short");
}

TEST(Overrides, WithoutACommentItsConditionsNameIt) {
  EXPECT_EQ(rule("", "192.0.2.0/24", "", "a.example").name(),
            "network 192.0.2.0/24, sender_domain a.example");
}

}  // namespace
}  // namespace postern::policy
