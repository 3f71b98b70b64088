// What `postern explain CASE`, `ledger` and `impact` print, in full: tests/golden/ledger. A text
// that differs is written there as NAME.actual; moving it over NAME accepts it.
#include "app/ledger_text.h"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <iterator>

#include <boost/json/serialize.hpp>

#include "app/explain_case.h"
#include "app/impact_command.h"
#include "ledger/archive_fixture.h"
#include "support/source_path.h"

namespace postern::app {
namespace {

using namespace std::chrono_literals;
using ledger::Effect;
using testing::HasSubstr;
using testing::Not;

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = source_path("tests/golden/ledger/" + name);
  std::ifstream file(path, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(text, golden) << path;
  if (text != golden) std::ofstream(path + ".actual", std::ios::binary) << text;
}

class LedgerText : public ledger::ArchiveFixture {
 protected:
  void SetUp() override { add_evidence(1, nameless(client_), start_ - 1s, "no_ptr"); }

  RecordedCase recorded(const std::string& case_id, Duration after,
                        const std::string& profile = {}) {
    ledger::Archive reader = archive();
    auto found = reader.find_case(case_id);
    CHECK(found && !found->empty());
    auto made = recorded_case(reader, std::move(*found), start_ + after, profile);
    CHECK(made.has_value());
    made->told.hostname = "gw.example.com";
    made->told.postmaster = "postmaster@example.com";
    return *std::move(made);
  }
  /// Refused twice for one recipient, once for another.
  void add_case() {
    add_deferral(17, deferral("bob@example.com", {0s, 5min, 20min}));
    ledger::Deferral accepted = deferral("carl@example.com", {0s});
    accepted.accepted = start_ + 30min;
    accepted.accepted_from = *IpAddress::parse("192.0.2.8");
    add_deferral(18, accepted);
    add_refusal(refusal("4F7KQ2", "bob@example.com"), 17);
    add_refusal(refusal("4F7KQ2", "carl@example.com"), 18);
    add_refusal(refusal("5ABCDE", "bob@example.com", 5min), 17);
    add_refusal(refusal("6ABCDE", "bob@example.com", 20min), 17);
  }
};

TEST_F(LedgerText, Case) {
  add_case();
  expect_golden("case.txt", case_text(recorded("4F7KQ2", 40min, "postfix")));
  expect_golden("letter.txt", case_letter(recorded("4F7KQ2", 40min)).value());
  const boost::json::object json = case_json(recorded("4F7KQ2", 40min));
  EXPECT_EQ(json.at("case"), "4F7KQ2");
  EXPECT_EQ(json.at("ptr").at("status"), "NXDOMAIN");
  EXPECT_EQ(json.at("recipients").at(0).at("deferral").at("outcome"), "retrying");
  EXPECT_EQ(json.at("recipients").at(1).at("deferral").at("outcome"), "recovered");
  EXPECT_EQ(json.at("publish").at(1), "mail.partner.example. IN A 192.0.2.7");
  double probabilities = 0;
  for (const auto& upstream : json.at("upstreams").as_array())
    probabilities += upstream.at("probability").as_double();
  EXPECT_LE(probabilities, 1.0001);
}

TEST_F(LedgerText, CaseThatWasOnlyObserved) {
  ledger::Refusal observed = refusal("4F7KQ2", "bob@example.com");
  observed.effect = Effect::would_refuse;
  observed.observed_because = "breaker open";
  add_refusal(observed);
  const std::string text = case_text(recorded("4F7KQ2", 1h));
  EXPECT_THAT(text, HasSubstr("accepted, and would have been refused (breaker open)"));
  EXPECT_THAT(text, HasSubstr("Action: 450 ([unknown_ip.actions] no_ptr), only recorded (breaker "
                              "open)\n"));
  EXPECT_THAT(text, HasSubstr("It would have read"));
  EXPECT_THAT(text, HasSubstr("Nobody is told of anything"));
}

TEST_F(LedgerText, WhatDecided) {
  struct Row {
    const char* case_id;
    ledger::Effect effect;
    const char* action;
    const char* override_name;
    const char* observed_because;
    bool escalated;
    const char* text;
  };
  for (const Row& row : {
           Row{"A22222", Effect::refused, "450", "", "", false,
               "Action: 450 ([unknown_ip.actions] no_ptr)\n"},
           {"B22222", Effect::refused, "550", "", "", true,
            "Action: 550 ([unknown_ip.escalation], after [unknown_ip.actions] no_ptr)\n"},
           {"C22222", Effect::would_refuse, "451", "ticket 11", "observe", false,
            "Action: 451 ([[unknown_ip.override]] ticket 11), only recorded (observe)\n"},
           {"D22222", Effect::excused, "accept", "ticket 12", "", false,
            "Action: accept ([[unknown_ip.override]] ticket 12)\n"},
       }) {
    ledger::Refusal made = refusal(row.case_id, "bob@example.com");
    made.effect = row.effect;
    made.action = row.action;
    made.override_name = row.override_name;
    made.observed_because = row.observed_because;
    made.escalated = row.escalated;
    made.via = IpAddress::parse("198.51.100.1");
    add_refusal(made);
    const RecordedCase found = recorded(row.case_id, 1h);
    EXPECT_THAT(case_text(found), HasSubstr(row.text));
    EXPECT_THAT(case_text(found),
                HasSubstr("\nClient 192.0.2.7, EHLO mail.partner.example, through 198.51.100.1\n"));
    const boost::json::object json = case_json(found);
    EXPECT_EQ(json.at("action"), row.action);
    EXPECT_EQ(json.at("override"), row.override_name);
    EXPECT_EQ(json.at("observed_because"), row.observed_because);
    EXPECT_EQ(json.at("escalated"), row.escalated);
    EXPECT_EQ(json.at("via"), "198.51.100.1");
    EXPECT_EQ(json.at("greeting"), "ehlo");
  }
}

TEST_F(LedgerText, AMailThatIsOver) {
  // Set to a day, which its times do not tell.
  std::vector<Duration> times{0s, 5min, 10min, 20min, 40min, 80min};
  while (times.back() < 23h) times.push_back(times.back() + 4000s);
  ledger::Deferral short_lived = deferral("bob@example.com", times);
  short_lived.attempts.resize(ledger::Deferral::attempts_kept);
  add_deferral(1, short_lived);
  add_refusal(refusal("A22222", "bob@example.com"), 1);
  const std::string silent = case_text(recorded("A22222", 48h, "postfix"));
  EXPECT_THAT(silent, HasSubstr("should have, since about 2026-11-25 04:05 UTC (23h20m ago)"));
  EXPECT_THAT(silent, HasSubstr("Postfix 3: reports about 2026-11-25 04:05 UTC (23h20m ago)"));

  ledger::Deferral for_good = deferral("eve@example.com", {0s, 5min, 10min});
  for_good.refused_for_good = start_ + 5h;
  add_deferral(2, for_good);
  ledger::Refusal last = refusal("B22222", "eve@example.com", 5h);
  last.action = "550";
  add_refusal(last, 2);
  ledger::Archive reader = archive();
  const auto shown = shown_deferral(reader, *reader.find_deferral(2).value(), start_ + 6h);
  ASSERT_TRUE(shown.has_value());
  EXPECT_THAT(shown_text(*shown), HasSubstr("given up: 3 attempts"));
  EXPECT_THAT(shown_text(*shown), HasSubstr("refused for good 2026-11-24 08:25 UTC, 5h after the "
                                            "first attempt\n"));
  EXPECT_THAT(shown_text(*shown), HasSubstr("case B22222")) << "the last answer";
  EXPECT_EQ(shown_json(*shown).at("refused_for_good"), shown_json(*shown).at("gives_up"));
}

TEST_F(LedgerText, CaseWithoutWhatIsKeptNoLonger) {
  ledger::Refusal bounce = refusal("4F7KQ2", "bob@example.com");
  bounce.sender.clear();
  add_refusal(bounce, 404, 99);
  add_refusal(refusal("4F7KQ2", "bob@example.com", 30 * 24h), {}, 99);
  const RecordedCase newest = recorded("4F7KQ2", 31 * 24h);
  const std::string text = case_text(newest);
  EXPECT_THAT(text, HasSubstr("an older case of 2026-11-24 03:25:53 UTC had the same id"));
  EXPECT_THAT(text, HasSubstr("Lookups: not kept any more"));
  EXPECT_THAT(text, Not(HasSubstr("What became of it")));
}

TEST_F(LedgerText, HostileTextIsHarmless) {
  ledger::Refusal hostile = refusal("4F7KQ2", "bob@example.com\r\nBcc: all@example.com");
  hostile.sender = "ann@x, victim@example.org\r\nBcc: victim@example.org";
  hostile.helo = "\x1b[2J\xff\"\\";
  hostile.state = "\x1b[31mno_ptr";
  hostile.override_name = hostile.observed_because = "]\n[relay]\ndomains = [\"*\"]";
  hostile.reply += "\x1b]0;title\x07\nFrom: x";
  add_refusal(hostile);
  const RecordedCase made = recorded("4F7KQ2", 1h);
  const std::string mail = case_letter(made).value();
  for (const std::string& text : {case_text(made), mail, boost::json::serialize(case_json(made))})
    for (const char c : text) ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << text;
  EXPECT_THAT(mail, HasSubstr("\nTo: postmaster@[192.0.2.7]\n")) << "no sender that is no address";
  EXPECT_THAT(mail, Not(HasSubstr("\nBcc")));
}

TEST_F(LedgerText, List) {
  add_case();
  add_deferral(19, deferral("gone@example.com", {-9 * 24h, -9 * 24h + 5min, -9 * 24h + 15min}));
  add_deferral(20, deferral("spam@example.com", {-24h}));
  ledger::Deferral bounce = deferral("eve@example.com", {10min});
  bounce.sender.clear();
  add_deferral(21, bounce);
  const WallTime now = start_ + 40min;
  const auto page = archive().deferrals({}, {}, 100, now, upstream::shipped_profiles_read());
  ASSERT_TRUE(page.has_value());
  std::string text = deferral_table_head();
  for (const ledger::ListedDeferral& listed : page->deferrals)
    text += deferral_table_row(listed, now);
  expect_golden("list.txt", text);
}

TEST_F(LedgerText, Show) {
  add_case();
  ledger::Archive reader = archive();
  const auto found = reader.find_deferral(17);
  ASSERT_TRUE(found && *found);
  const auto shown = shown_deferral(reader, **found, start_ + 40min);
  ASSERT_TRUE(shown.has_value());
  expect_golden("show.txt", shown_text(*shown));
  const boost::json::object json = shown_json(*shown);
  EXPECT_EQ(json.at("refusals").at(2).at("case"), "6ABCDE");
  EXPECT_EQ(json.at("times").as_array().size(), 3U);
}

TEST_F(LedgerText, Impact) {
  const auto observe = [this](const IpAddress& client, std::string sender, Duration after) {
    ledger::Refusal made = refusal(fmt::format("C{}", after.count()), "bob@example.com", after);
    made.effect = Effect::would_refuse;
    made.message = static_cast<std::uint64_t>(after.count()) + 1;
    made.client = client;
    made.sender = std::move(sender);
    add_refusal(made);
  };
  const IpAddress spammer = *IpAddress::parse("203.0.113.9");
  for (int i = 0; i < 5; ++i) observe(spammer, fmt::format("x{}@spam.example", i), i * 1min);
  observe(client_, "ann@partner.example", 10min);
  observe(client_, "zoe@partner.example", 20min);
  add_client(client_, "mail.partner.example", start_ - 48h, 2, 2);
  add_client(*IpAddress::parse("192.0.2.1"), "mx1.partner.example", start_, 3);
  const auto mail = archive().mail_since(start_ - 1h, start_ + 1h,
                                         [](const auto&, const auto&) { return "no PTR record"; });
  ASSERT_TRUE(mail.has_value());
  ImpactReport report;
  report.impact = ledger::make_impact(*mail);
  report.counts = mail->counts();
  report.since = start_ - 1h;
  expect_golden("impact.txt", recorded_impact_text(report));
  const boost::json::object json = recorded_impact_json(report);
  EXPECT_EQ(json.at("who").at(0).at("client"), "192.0.2.7") << "the likely wanted one first";
  EXPECT_EQ(json.at("exempt").as_array().size(), 1U);
  EXPECT_THAT(recorded_impact_text({}), HasSubstr("Nothing was refused"));
}

}  // namespace
}  // namespace postern::app
