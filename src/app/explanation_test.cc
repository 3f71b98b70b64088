#include "app/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include <boost/json/object.hpp>

#include "app/explain_case.h"

namespace postern::app {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const WallTime noon(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
                    std::chrono::hours(12));

/// Of a client without PTR.
Explanation refused(policy::Action action, std::string reply) {
  Explanation told;
  told.client = *IpAddress::parse("192.0.2.7");
  told.helo = "mail.partner.example";
  told.sender = "ann@partner.example";
  told.recipient = "bob@example.com";
  told.hostname = "gw.example.com";
  told.postmaster = "postmaster@example.com";
  told.case_id = "4F7KQ2";
  told.state = policy::UnknownIpState::no_ptr;
  told.action = action;
  told.iprev.address = told.client;
  told.iprev.ptr_status = dns::Status::nx_domain;
  told.reply = std::move(reply);
  told.remedy = policy::remedy_for(told.state, told.iprev, told.helo);
  told.first_attempt = told.last_attempt = noon;
  told.upstreams = upstreams_of("postfix", {}).value();
  return told;
}

Explanation refused_for_now() {
  return refused(policy::Action::reply_450, "450 4.7.25 no PTR record (case 4F7KQ2)");
}

Explanation refused_at_once() {
  return refused(policy::Action::reply_550, "550 5.7.25 no PTR record (case 4F7KQ2)");
}

RecordedCase recorded(ledger::Effect effect, std::string override_name) {
  RecordedCase recorded;
  recorded.case_id = "4F7KQ2";
  recorded.now = noon + std::chrono::hours(1);
  recorded.told = refused_for_now();
  recorded.answer.time = noon;
  recorded.answer.effect = effect;
  recorded.answer.action = "450";
  recorded.answer.override_name = std::move(override_name);
  return recorded;
}

TEST(Letter, IsAMessageAboutARefusal) {
  const std::string letter = case_letter(recorded(ledger::Effect::refused, "")).value();
  EXPECT_THAT(
      letter,
      StartsWith("From: postmaster@example.com\nTo: postmaster@partner.example\n"
                 "Subject: Your mail server 192.0.2.7 has no confirmed reverse name\n"
                 "Date: Tue, 24 Nov 2026 13:00:00 +0000\n"
                 "Message-ID: <4F7KQ2@gw.example.com>\nMIME-Version: 1.0\n"
                 "Content-Type: text/plain; charset=us-ascii\n\nOn Tue, 24 Nov 2026 12:00"));
  EXPECT_THAT(letter, HasSubstr("wanted to send us mail from\nann@partner.example.\n"
                                "We answered it\n\n    450 4.7.25 no PTR"));
  EXPECT_THAT(letter, HasSubstr("Your server keeps the mail and tries again"));
  EXPECT_THAT(letter, HasSubstr("7.2.0.192.in-addr.arpa. IN PTR mail.partner.example."));
}

TEST(Letter, OfObservedMailDoesNotSayThatItWasRefused) {
  const std::string letter = case_letter(recorded(ledger::Effect::would_refuse, "")).value();
  EXPECT_THAT(letter, HasSubstr("sent us mail from\nann@partner.example.\nWe took the mail. "));
  EXPECT_THAT(letter, HasSubstr("Your server will then keep the mail"));
  EXPECT_THAT(letter, Not(HasSubstr("We answered")));
  EXPECT_THAT(letter, Not(HasSubstr("Your server keeps")));
}

TEST(Letter, IsNoneAboutMailThatIsLetIn) {
  EXPECT_EQ(case_letter(recorded(ledger::Effect::excused, "ticket 12")).error().what,
            "the mail of case 4F7KQ2 was accepted by the override ticket 12: there is nothing to "
            "write to anybody about");
  RecordedCase tagged = recorded(ledger::Effect::excused, "");
  tagged.told.reply.clear();
  tagged.answer.action = "tag";
  EXPECT_THAT(case_letter(tagged).error().what, HasSubstr("was accepted, with a tag"));
}

TEST(Letter, OfAClientFollowsTheMode) {
  CheckedClient client;
  client.told = refused_at_once();
  for (const auto mode : {policy::UnknownIpMode::off, policy::UnknownIpMode::observe}) {
    client.mode = mode;
    const std::string letter = client_letter(client, noon).value();
    EXPECT_THAT(letter, HasSubstr("We took the mail. "));
    EXPECT_THAT(letter, HasSubstr("Your server will then report to its users"));
  }
  client.mode = policy::UnknownIpMode::enforce;
  EXPECT_THAT(client_letter(client, noon).value(),
              HasSubstr("We answered it\n\n    550 5.7.25 no PTR record\n"))
      << "the case of a check that nothing was recorded of is nobody's business";
  client.told.reply.clear();
  EXPECT_FALSE(client_letter(client, noon));
}

TEST(Letter, HasNoLongLinesForAllAddressesOfAName) {
  Explanation told = refused_for_now();
  told.iprev.ptr_status = dns::Status::ok;
  auth::IprevName& name = told.iprev.names.emplace_back();
  name.name = "mail.partner.example";
  name.usable = true;
  name.status = dns::Status::ok;
  for (int i = 100; i < 132; ++i)
    name.addresses.push_back(
        *IpAddress::parse("2001:db8:ffff:ffff:ffff:ffff:ffff:" + std::to_string(i)));
  std::istringstream text(letter(told, Enforced::yes, noon, {}));
  std::string line;
  std::size_t addresses = 0;
  while (std::getline(text, line)) {
    EXPECT_LE(line.size(), 100U) << line;
    for (auto at = line.find("2001:db8:"); at != std::string::npos; at = line.find("2001:", at + 1))
      ++addresses;
  }
  EXPECT_EQ(addresses, 32U);
}

TEST(Explanation, WhatIsRefusedForGoodIsToldAtOnce) {
  Explanation told = refused_at_once();
  for (const upstream::Profile& profile : upstream::shipped_profiles_read().all) {
    told.upstreams = upstreams_of(profile.name, {}).value();
    const boost::json::object upstream = upstreams_json(told)[0].as_object();
    EXPECT_FALSE(upstream.contains("next_attempt"));
    EXPECT_EQ(upstream.at("gives_up_seconds"), 0);
    EXPECT_EQ(upstream.contains("first_sign"), profile.reports) << profile.name;
    const std::string report = report_text(told);
    EXPECT_EQ(report.empty(), !profile.reports) << profile.name;
    if (report.empty()) continue;
    EXPECT_THAT(report, HasSubstr("550 5.7.25 no PTR record")) << profile.name;
    for (const char* late : {"retry timeout", "5 days", "xpired", "in time", "too long", "stopped"})
      EXPECT_THAT(report, Not(HasSubstr(late))) << profile.name;
    EXPECT_THAT(servers_text(told), HasSubstr("reports at once"));
  }
}

TEST(Explanation, ReportsSayAtWhichStepAndNothingOfAddressesThatNobodyKnows) {
  for (const upstream::Profile& profile : upstream::shipped_profiles_read().all) {
    if (!profile.reports) continue;
    Explanation told = refused_for_now();
    told.upstreams = upstreams_of(profile.name, {}).value();
    EXPECT_THAT(report_text(told), Not(testing::ContainsRegex("\\[\\]|\\{"))) << profile.name;
    told.answered_at = policy::AnswerAt::ehlo;
    EXPECT_THAT(report_text(told), Not(testing::ContainsRegex("RCPT|EHLO:<"))) << profile.name;
  }
  Explanation told = refused_for_now();
  EXPECT_THAT(report_text(told), HasSubstr("host gw.example.com said:"));
  EXPECT_THAT(report_text(told), HasSubstr("(in reply to RCPT TO command)"));
}

}  // namespace
}  // namespace postern::app
