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
  observed.rule = "mode observe";
  add_refusal(observed);
  const std::string text = case_text(recorded("4F7KQ2", 1h));
  EXPECT_THAT(text, HasSubstr("accepted, and would have been refused (mode observe)"));
  EXPECT_THAT(text, HasSubstr("It would have read"));
  EXPECT_THAT(text, HasSubstr("Nobody is told of anything"));
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
  hostile.rule = "]\n[relay]\ndomains = [\"*\"]";
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
  report.impact = ledger::make_impact(*mail, upstream::shipped_profiles_read());
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
