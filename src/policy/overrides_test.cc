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

/// The lookups of a client with these confirmed names.
auth::Iprev lookups(std::string_view client, std::vector<std::string> names) {
  auth::Iprev iprev;
  iprev.address = *IpAddress::parse(client);
  iprev.result = names.empty() ? auth::IprevResult::fail : auth::IprevResult::pass;
  for (std::string& name : names)
    iprev.names.push_back({.name = std::move(name),
                           .usable = true,
                           .status = dns::Status::ok,
                           .addresses = {iprev.address}});
  return iprev;
}

std::string found(const Overrides& overrides, const auth::Iprev& iprev,
                  std::string_view sender = {}, std::string_view recipient = {}) {
  const Override* override =
      overrides
          .find(
              {.iprev = iprev, .sender_domain = sender, .recipient_domain = recipient, .now = now})
          .rule;
  return override == nullptr ? "none" : override->comment;
}

std::string found(const Overrides& overrides, std::string_view client, std::string ptr = {},
                  std::string_view sender = {}, std::string_view recipient = {}) {
  std::vector<std::string> names;
  if (!ptr.empty()) names.push_back(std::move(ptr));
  return found(overrides, lookups(client, std::move(names)), sender, recipient);
}

Override with_action(Override made, Action action) {
  made.action = action;
  return made;
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
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "mail.partner.example", "example.net"), "recipient")
      << "anybody can write a sender";
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "mail.partner.example", "a.example"), "sender");
  EXPECT_EQ(found(overrides, "203.0.113.1", "", "x.partner.example", "a.example"), "sender below");
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

TEST(Overrides, EveryConfirmedNameCounts) {
  const Overrides overrides({rule("theirs", "", ".partner.example")});
  EXPECT_EQ(found(overrides, lookups("192.0.2.1", {"a.example", "mx.partner.example"})), "theirs");
  EXPECT_EQ(found(overrides, lookups("192.0.2.1", {"mx.partner.example", "z.example"})), "theirs");
}

TEST(Overrides, ANameWithoutAnAnswerMakesWhatComesBehindItUncertain) {
  auth::Iprev iprev = lookups("192.0.2.1", {"a.example", "mx.partner.example"});
  iprev.names[1].status = dns::Status::timed_out;
  iprev.names[1].addresses.clear();
  const Override refuses = with_action(rule("network", "192.0.2.0/24"), Action::reply_550);
  const Override narrow = with_action(rule("narrow", "192.0.2.1/32"), Action::reply_550);
  const auto accepts = [](std::string_view network) {
    return rule("theirs", network, ".partner.example");
  };
  struct Case {
    const char* reason;
    Overrides overrides;
    const char* rule;
    bool is_uncertain;
  };
  const Case cases[] = {
      {"it might be spared by its name", Overrides({refuses, accepts("192.0.2.0/24")}), "network",
       true},
      {"by its name it would be refused as well",
       Overrides({refuses, with_action(accepts("192.0.2.0/24"), Action::reply_550)}), "network",
       false},
      {"the network comes first", Overrides({narrow, accepts("")}), "narrow", false},
      {"nothing refuses it", Overrides({accepts("")}), "none", false},
  };
  for (const Case& c : cases) {
    const Overrides::Found found =
        c.overrides.find({.iprev = iprev, .sender_domain = {}, .recipient_domain = {}, .now = now});
    EXPECT_EQ(found.rule == nullptr ? "none" : found.rule->comment, c.rule) << c.reason;
    EXPECT_EQ(found.is_uncertain, c.is_uncertain) << c.reason;
  }
}

TEST(Overrides, AConfirmedClientIsRefusedByItsNetworkOrNameOnly) {
  const Overrides by_mail({
      with_action(rule("pilot", "", "", "", "pilot.example"), Action::reply_450),
      with_action(rule("forged", "", "", "bank.example"), Action::reply_550),
  });
  EXPECT_EQ(found(by_mail, "192.0.2.1", "", "bank.example"), "forged");
  EXPECT_EQ(found(by_mail, "192.0.2.1", "", "", "pilot.example"), "pilot");
  EXPECT_EQ(found(by_mail, "192.0.2.1", "mx.example", "bank.example"), "none");
  EXPECT_EQ(found(by_mail, "192.0.2.1", "mx.example", "", "pilot.example"), "none");

  const Overrides by_client({
      with_action(rule("network", "192.0.2.0/24"), Action::reply_450),
      with_action(rule("name", "", ".dynamic.example"), Action::reply_550),
      rule("spared", "192.0.2.0/24", "", "", "pilot.example"),
  });
  EXPECT_EQ(found(by_client, "192.0.2.1", "mx.example"), "network");
  EXPECT_EQ(found(by_client, "198.51.100.1", "a.dynamic.example"), "name");
  EXPECT_EQ(found(by_client, "192.0.2.1", "mx.example", "", "pilot.example"), "spared");
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
