#include "ledger/archive.h"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>

#include "ledger/archive_fixture.h"
#include "ledger/impact.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const upstream::Profiles& profiles() {
  return upstream::shipped_profiles_read();
}

class ArchiveTest : public ArchiveFixture {
 protected:
  std::vector<std::int64_t> ids(const DeferralFilter& filter, WallTime now) {
    std::vector<std::int64_t> found;
    const auto page = archive().deferrals(filter, {}, 100, now, profiles());
    EXPECT_TRUE(page.has_value());
    if (page)
      for (const ListedDeferral& listed : page->deferrals) found.push_back(listed.id);
    return found;
  }
};

TEST_F(ArchiveTest, FindsEveryRecipientOfACase) {
  add_evidence(1, nameless(client_), start_ - 1s, "no_ptr");
  add_refusal(refusal("4F7KQ2", "bob@example.com"), 17);
  add_refusal(refusal("4F7KQ2", "carl@example.com", 1s));
  add_refusal(refusal("2ABCDE", "dora@example.com", 2s));
  const auto cases = archive().find_case("4F7KQ2");
  ASSERT_TRUE(cases && cases->size() == 1);
  const auto& recipients = cases->front().recipients;
  ASSERT_EQ(recipients.size(), 2U);
  EXPECT_EQ(recipients[0].refusal.recipient, "bob@example.com");
  EXPECT_EQ(recipients[0].deferral, 17);
  EXPECT_EQ(recipients[0].looked_up, start_ - 1s);
  EXPECT_EQ(recipients[0].refusal.lookups->ptr_status, dns::Status::nx_domain);
  EXPECT_EQ(recipients[0].refusal.latency, 130ms);
  EXPECT_EQ(recipients[1].deferral, std::nullopt);
  EXPECT_TRUE(archive().find_case("NONE22")->empty());
}

TEST_F(ArchiveTest, CasesOfOneIdAreToldApart) {
  add_evidence(1, nameless(client_), start_, "no_ptr");
  add_refusal(refusal("4F7KQ2", "bob@example.com"));
  Refusal other = refusal("4F7KQ2", "bob@example.com", 1h);
  other.client = *IpAddress::parse("2001:db8::7");
  add_refusal(other);
  add_refusal(refusal("4F7KQ2", "carl@example.com", 365 * 24h), {}, 99);
  const auto cases = archive().find_case("4F7KQ2");
  ASSERT_TRUE(cases && cases->size() == 3);
  EXPECT_EQ(cases->at(0).recipients.at(0).refusal.recipient, "carl@example.com") << "newest first";
  EXPECT_EQ(cases->at(0).recipients.at(0).looked_up, std::nullopt) << "its evidence is gone";
  EXPECT_EQ(cases->at(0).recipients.at(0).refusal.lookups->address, client_);
  EXPECT_EQ(cases->at(1).recipients.at(0).refusal.client, other.client);
}

TEST_F(ArchiveTest, RecipientsOfACaseAreBounded) {
  run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005) "
      "INSERT INTO refusals SELECT NULL, 0, 'MANY22', x'', NULL, 0, '', '', i, 1, '', '', 0, '', "
      "'', '', 0, 0, 1, NULL FROM n");
  index_case("MANY22", 1005);
  const auto cases = archive().find_case("MANY22");
  ASSERT_TRUE(cases && cases->size() == 1);
  EXPECT_EQ(cases->front().recipients.size(), Archive::recipients_max);
  EXPECT_EQ(cases->front().left_out, 5U);
}

TEST_F(ArchiveTest, DeferralsByWhatIsAskedFor) {
  add_deferral(1, deferral("never@example.com", {0s}));
  add_deferral(2, deferral("gone@example.com", {0s, 5min, 15min}));
  Deferral recovered = deferral("later@example.com", {24h, 24h + 5min});
  recovered.accepted = start_ + 25h;
  add_deferral(3, recovered);
  Deferral elsewhere = deferral("now@example.net", {9 * 24h, 9 * 24h + 5min});
  elsewhere.sender.clear();
  elsewhere.addresses.push_back(*IpAddress::parse("198.51.100.9"));
  add_deferral(4, elsewhere);
  Refusal mismatch = refusal("4F7KQ2", "now@example.net", 9 * 24h + 5min);
  mismatch.state = "mismatch";
  add_refusal(mismatch, 4);
  Deferral for_good = deferral("now@example.org", {9 * 24h});
  for_good.refused_for_good = start_ + 9 * 24h + 5min;
  add_deferral(5, for_good);
  const WallTime now = start_ + 9 * 24h + 6min;

  struct Case {
    const char* reason;
    DeferralFilter filter;
    std::vector<std::int64_t> ids;
  };
  const std::vector<Case> cases = {
      {"all, the newest first", {}, {5, 4, 3, 2, 1}},
      {"retrying", {.outcome = Outcome::retrying}, {4}},
      {"recovered", {.outcome = Outcome::recovered}, {3}},
      {"given up", {.outcome = Outcome::given_up}, {5, 2}},
      {"never retried", {.outcome = Outcome::never_retried}, {1}},
      {"one address of several", {.client = IpNetwork::parse("198.51.100.9")}, {4}},
      {"a network", {.client = IpNetwork::parse("192.0.2.0/24")}, {5, 4, 3, 2, 1}},
      {"null reverse path", {.sender = "<>"}, {4}},
      {"a sender's domain", {.sender = "@Partner.Example"}, {5, 3, 2, 1}},
      {"a recipient", {.recipient = "LATER@example.com"}, {3}},
      {"both", {.sender = "<>", .recipient = "@example.com"}, {}},
      {"a state", {.state = "mismatch"}, {4}},
      {"since", {.since = start_ + 12h}, {5, 4, 3}},
  };
  for (const Case& c : cases) EXPECT_EQ(ids(c.filter, now), c.ids) << c.reason;

  const auto page = archive().deferrals({}, 5, 3, now, profiles());
  ASSERT_TRUE(page && page->deferrals.size() == 3);
  EXPECT_EQ(page->deferrals[0].state, "mismatch");
  EXPECT_EQ(page->deferrals[0].case_id, "4F7KQ2");
  EXPECT_EQ(page->deferrals[1].state, "") << "its refusals are not kept";
  ASSERT_EQ(page->before, 2);
  const auto rest = archive().deferrals({}, page->before, 3, now, profiles());
  ASSERT_TRUE(rest && rest->deferrals.size() == 1);
  EXPECT_EQ(rest->before, std::nullopt);
}

TEST_F(ArchiveTest, RefusalsBehindTheAttemptsOfADeferral) {
  for (int minute = 0; minute < 200; ++minute) {
    add_refusal(refusal(fmt::format("C{}", minute), "other@example.com", minute * 1min), 1);
    if (minute % 60 == 0)
      add_refusal(refusal(fmt::format("D{}", minute), "bob@example.com", minute * 1min), 2);
  }
  run("DELETE FROM refusals WHERE id < 50");
  const RecordedDeferral wanted{2, deferral("bob@example.com", {0min, 60min, 120min, 180min})};
  const auto refusals = archive().refusals_of(wanted);
  ASSERT_TRUE(refusals.has_value());
  std::vector<std::string> cases;
  for (const RecordedRefusal& found : *refusals) cases.push_back(found.refusal.case_id);
  EXPECT_THAT(cases, ElementsAre("D60", "D120", "D180")) << "the first is not kept any more";
}

TEST_F(ArchiveTest, WhoNamedNoRecipientIsTold) {
  add_refusal(refusal("A22222", "bob@example.com"));
  Refusal excused = refusal("B22222", "");
  excused.effect = Effect::excused;
  add_refusal(excused);
  EXPECT_EQ(archive().has_refused_early().value(), false);
  add_refusal(refusal("C22222", ""));
  EXPECT_EQ(archive().has_refused_early().value(), true);
}

TEST_F(ArchiveTest, DamagedRowsHarmNobody) {
  run("INSERT INTO deferrals VALUES (1, x'ff00', 'b', '', 0, 0, 0, 1, x'', x'', NULL, NULL, NULL),"
      "(2, 'a', 'b', '', 9, 0, -5, -1, x'7fffffffffffffff', x'01', 9223372036854775807, x'02', "
      "-7)");
  run("INSERT INTO refusals VALUES (1, -9223372036854775808, 'BAD222', x'01', x'02', 77, "
      "x'1b5b324a', 'a', 'b', -1, 'odd', 'x', 77, '', '', '', 77, 9223372036854775807, 1, 2)");
  index_case("BAD222");
  insert("INSERT INTO evidence VALUES (1, x'', 0, '', ?)", std::string(100, '{'));
  EXPECT_THAT(ids({}, start_), ElementsAre());
  const auto cases = archive().find_case("BAD222");
  ASSERT_TRUE(cases && cases->size() == 1);
  const RecordedRefusal& found = cases->front().recipients.front();
  EXPECT_EQ(found.refusal.effect, Effect::refused);
  EXPECT_GE(found.refusal.time, WallTime());
  EXPECT_EQ(found.looked_up, std::nullopt);
  const auto mail = archive().mail_since(start_ - 1h, start_,
                                         [](const auto&, const auto&) { return std::string(); });
  EXPECT_TRUE(mail.has_value());
}

TEST_F(ArchiveTest, SaysWhatToDoAboutTheFile) {
  const auto missing = Archive::open(path_ + ".none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().cause, Cause::not_found);
  EXPECT_THAT(missing.error().what, HasSubstr("there is no ledger at"));

  run("PRAGMA user_version = 99");
  const auto newer = Archive::open(path_);
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().what, HasSubstr("newer Postern"));

  database_.reset();
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(5000, 'x');
  const auto damaged = Archive::open(path_);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().cause, Cause::damaged);
  EXPECT_THAT(damaged.error().what, HasSubstr("is damaged"));

  std::filesystem::resize_file(path_, 0);
  const auto empty = Archive::open(path_);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().what, HasSubstr("nothing was recorded yet"));
}

TEST_F(ArchiveTest, ReadsBesideAWriter) {
  add_refusal(refusal("4F7KQ2", "bob@example.com"));
  Archive reader = archive();
  run("BEGIN IMMEDIATE");
  add_refusal(refusal("2ABCDE", "bob@example.com"));
  EXPECT_EQ(reader.find_case("4F7KQ2")->size(), 1U) << "a writer does not hold readers up";
  EXPECT_EQ(reader.find_case("2ABCDE")->size(), 0U);
  run("COMMIT");
  EXPECT_EQ(reader.find_case("2ABCDE")->size(), 1U);
}

TEST_F(ArchiveTest, MailSince) {
  add_evidence(1, nameless(client_), start_, "no_ptr");
  const auto would = [&](std::uint64_t message, std::string recipient, Duration after) {
    Refusal made = refusal("A22222", std::move(recipient), after);
    made.effect = Effect::would_refuse;
    made.message = message;
    add_refusal(made);
  };
  would(1, "old@example.com", -24h);
  would(2, "bob@example.com", 0s);
  would(2, "carl@example.com", 10ms);
  would(4, "bob@example.com", 500ms);
  would(3, "dora@example.com", 10s);
  would(2, "Bob@example.com", 11s);  // others were in between
  would(0, "", 12s);                 // before MAIL there is no telling
  would(0, "", 12s);
  Refusal excused = refusal("C22222", "bob@example.com", 13s);
  excused.effect = Effect::excused;
  add_refusal(excused);
  add_client(client_, "mail.partner.example", start_ - 48h, 9, 4);
  add_client(*IpAddress::parse("192.0.2.1"), "mx1.partner.example", start_, 3);
  const auto mail = archive().mail_since(start_ - 1h, start_ + 1h,
                                         [](const std::string& state, const auth::Iprev& lookups) {
                                           return state + " of " + lookups.address.text();
                                         });
  ASSERT_TRUE(mail.has_value());
  EXPECT_EQ(mail->counts().recipients_observed, 7U);
  EXPECT_EQ(mail->counts().recipients_excused, 1U);
  const Impact impact = make_impact(*mail);
  EXPECT_EQ(impact.by_state.at("no_ptr").senders, 1U);
  EXPECT_EQ(impact.refused.recipients, 3U);
  ASSERT_EQ(mail->clients().size(), 1U);
  const RecordedClient& client = mail->clients().at(client_);
  EXPECT_EQ(client.messages, 5U);
  EXPECT_EQ(client.seen.accepted, 5U);
  EXPECT_EQ(client.finding.cause, "no_ptr of 192.0.2.7");
  EXPECT_EQ(client.confirmed, start_ - 48h);
  ASSERT_NE(mail->domains().server_for(client_), nullptr);
  EXPECT_EQ(mail->domains().server_for(client_)->name, "mx1.partner.example");
  EXPECT_EQ(mail->domains().server_for(client_)->domain, "partner.example");
}

}  // namespace
}  // namespace postern::ledger
