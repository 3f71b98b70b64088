#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "lab/flow_json.h"
#include "lab/flow_run.h"
#include "lab/flow_text.h"
#include "lab/report_reader.h"
#include "upstream/profile.h"

namespace postern::lab {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;

const upstream::Profiles& profiles() {
  return upstream::shipped_profiles_read();
}

Scenario shipped(std::string_view name) {
  for (const EmbeddedText& text : shipped_scenarios()) {
    if (text.name != name) continue;
    ReadScenario read = read_scenario(text.text, std::string(name), profiles());
    for (const auto& diagnostic : read.diagnostics) ADD_FAILURE() << diagnostic.text();
    return std::move(read.scenario);
  }
  ADD_FAILURE() << "there is no scenario " << name;
  return {};
}

FinishedFlow ran(const Scenario& scenario, std::uint64_t seed = 1) {
  auto finished = run_flow(scenario, profiles(), seed);
  if (!finished) {
    ADD_FAILURE() << finished.error().what;
    std::abort();
  }
  return *std::move(finished);
}

std::string broken(const FinishedFlow& finished) {
  std::string text;
  for (const Verdict& verdict : finished.verdicts)
    if (!verdict.kept) text += verdict.what + ": " + verdict.got + "\n";
  return text;
}

// --- what comes out for each product, in figures that do not come from profiles.toml

struct Outcome {
  const char* profile;
  std::size_t attempts;
  std::vector<int> first_waits;  // in seconds
  Duration notice;               // 0: none
  Duration report;               // 0: none
  const char* from;
  bool quotes;
};

class ProfileTest : public testing::TestWithParam<Outcome> {};

TEST_P(ProfileTest, KeepsToItsTimesAndReportsAsItsProductDoes) {
  const Outcome& wanted = GetParam();
  const upstream::Profile* profile = profiles().find(wanted.profile);
  ASSERT_NE(profile, nullptr);
  const FinishedFlow finished = ran(with_profile(shipped("kb"), *profile));
  EXPECT_EQ(broken(finished), "");

  const auto times =
      attempt_times(*finished.flow, "partner", "ann@partner.example", "bob@company.example");
  EXPECT_EQ(times.size(), wanted.attempts);
  for (std::size_t i = 0; i < wanted.first_waits.size(); ++i) {
    ASSERT_LT(i + 1, times.size());
    EXPECT_EQ(std::chrono::round<seconds>(times[i + 1] - times[i]).count(), wanted.first_waits[i])
        << "wait " << i + 1;
  }
  std::size_t notices = 0;
  std::size_t failures = 0;
  for (const ReportAccount& report : finished.account.reports) {
    const bool is_failure = report.kind == "failure";
    ++(is_failure ? failures : notices);
    EXPECT_EQ(report.by, "partner");
    EXPECT_EQ(report.to, "ann@partner.example");
    EXPECT_EQ(report.about, "bob@company.example");
    EXPECT_EQ(report.from, wanted.from);
    EXPECT_EQ(report.quotes_reply, wanted.quotes) << report.subject;
    EXPECT_EQ(std::chrono::round<seconds>(report.at), is_failure ? wanted.report : wanted.notice);
  }
  EXPECT_EQ(notices, wanted.notice == Duration{} ? 0U : 1U);
  EXPECT_EQ(failures, wanted.report == Duration{} ? 0U : 1U);
}

constexpr const char* exchange_from =
    "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@partner.example>";
constexpr const char* postfix_from = "MAILER-DAEMON@mail.partner.example (Mail Delivery System)";
const std::vector<Outcome> outcomes{
    Outcome{"postfix",
            113,
            {300, 300, 600, 1200, 2400, 4000, 4000},
            {},
            hours(120),
            postfix_from,
            true},
    Outcome{"exim",
            28,
            {900, 900, 900, 900, 900, 900, 900, 900, 3600, 5400},
            hours(24),
            hours(96),
            "Mail Delivery System <Mailer-Daemon@mail.partner.example>",
            true},
    Outcome{"sendmail",
            241,
            {1800, 1800},
            hours(4),
            hours(120),
            "Mail Delivery Subsystem <MAILER-DAEMON@mail.partner.example>",
            true},
    Outcome{"exchange",
            201,
            {60, 60, 60, 60, 300, 300, 300, 300, 300, 300, 900, 900},
            hours(4),
            hours(48),
            exchange_from,
            false},
    Outcome{"exchange_online", 27, {900, 1800, 3600, 3600}, {}, hours(24), exchange_from, true},
    Outcome{"gmail",
            40,
            {600, 1200, 2400, 7200},
            hours(24),
            hours(72),
            "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            true},
    Outcome{"qmail",
            86,
            {400, 1200, 2000, 2800},
            {},
            hours(168),
            "MAILER-DAEMON@mail.partner.example",
            true},
    Outcome{"opensmtpd",
            83,
            {400, 1200, 2000, 2800, 3600, 4400},
            hours(4),
            hours(96),
            "Mailer Daemon <MAILER-DAEMON@mail.partner.example>",
            true},
    Outcome{"haraka",
            13,
            {64, 128, 256, 512},
            {},
            seconds(262'080),
            "MAILER-DAEMON@mail.partner.example",
            true},
    Outcome{"stalwart",
            11,
            {120, 300, 600, 900, 1800, 3600, 7200, 86400},
            hours(24),
            hours(72),
            "Mail Delivery Subsystem <MAILER-DAEMON@mail.partner.example>",
            true},
    Outcome{"kumomta", 11, {1200, 2400, 4800, 9600}, {}, {}, "", false},
    Outcome{"imsva", 27, {900, 900, 1800, 3600}, {}, hours(24), postfix_from, true},
    Outcome{"spam_tool", 1, {}, {}, {}, "", false}};
INSTANTIATE_TEST_SUITE_P(All, ProfileTest, testing::ValuesIn(outcomes),
                         [](const auto& one) { return std::string(one.param.profile); });

TEST(Profiles, EachHasItsFiguresAbove) {
  EXPECT_EQ(profiles().all.size(), outcomes.size());
}

// --- the shipped flows

class ShippedTest : public testing::TestWithParam<EmbeddedText> {};

TEST_P(ShippedTest, ComesOutAsItExpects) {
  const Scenario scenario = shipped(GetParam().name);
  EXPECT_FALSE(scenario.expectations.empty());
  EXPECT_FALSE(scenario.title.empty());
  for (const std::uint64_t seed : {1U, 2U, 3U}) EXPECT_EQ(broken(ran(scenario, seed)), "");
}

TEST_P(ShippedTest, TheSameSeedGivesTheSameHistory) {
  const Scenario scenario = shipped(GetParam().name);
  const std::string first = flow_json(ran(scenario, 7), "x", 7);
  EXPECT_EQ(first, flow_json(ran(scenario, 7), "x", 7));
  EXPECT_NE(first, flow_json(ran(scenario, 8), "x", 7));
}

INSTANTIATE_TEST_SUITE_P(All, ShippedTest, testing::ValuesIn(shipped_scenarios()),
                         [](const auto& one) {
                           std::string name(one.param.name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Judging, AnotherProfileThanTheServersIsFoundOut) {
  const FinishedFlow finished = ran(shipped("kb"));
  std::size_t wrong = 0;
  for (const Verdict& verdict :
       judge_profile(*finished.flow, finished.account, *profiles().find("exchange"), "partner"))
    wrong += verdict.kept ? 0 : 1;
  EXPECT_EQ(wrong, 3U);  // times, notice of delay, report
}

TEST(Judging, AnExpectationThatIsNotMetIsBroken) {
  Scenario scenario = shipped("recovers");
  for (Expectation& expectation : scenario.expectations) ++*expectation.count;
  const FinishedFlow finished = ran(scenario);
  EXPECT_FALSE(finished.good());
  for (const Verdict& verdict : judge_expectations(*finished.flow, finished.account))
    EXPECT_FALSE(verdict.kept) << verdict.what;
}

// --- what is told

TEST(Telling, WhoWasResponsibleWhen) {
  const FinishedFlow finished = ran(shipped("third-party"));
  ASSERT_EQ(finished.account.mails.size(), 1U);
  std::vector<std::string> holders;
  for (const Custody& custody : finished.account.mails[0].custody)
    holders.push_back(custody.holder);
  EXPECT_EQ(holders, (std::vector<std::string>{"ann's program", "mail.partner.example",
                                               "relay.provider.example"}));
  ASSERT_EQ(finished.account.reports.size(), 1U);
  EXPECT_EQ(finished.account.reports[0].way, (std::vector<std::string>{"provider", "partner"}));
}

TEST(Telling, TheTextSumsUpWhatComesAgain) {
  const FinishedFlow finished = ran(shipped("kb"));
  const std::string text = flow_timeline(*finished.flow, Detail::summed_up);
  EXPECT_THAT(text, HasSubstr("the same 112 times more: 450 4.7.25 Client host rejected"));
  EXPECT_THAT(text, HasSubstr("C: RCPT TO:<bob@company.example>"));
  const std::string account = flow_account(*finished.flow, finished.account);
  EXPECT_THAT(account, HasSubstr("  >     450 4.7.25 Client host rejected"));
  EXPECT_THAT(account, HasSubstr("What the users saw, and when"));
  const std::string all = flow_timeline(*finished.flow, Detail::all);
  std::size_t attempts = 0;
  for (auto at = all.find("C: RCPT TO"); at != std::string::npos;
       at = all.find("C: RCPT TO", at + 1))
    ++attempts;
  EXPECT_EQ(attempts, 114U);  // the user's own and 113
}

TEST(Telling, TimesSinceTheBeginning) {
  EXPECT_EQ(format_since({}), "0:00:00");
  EXPECT_EQ(format_since(minutes(5)), "0:05:00");
  EXPECT_EQ(format_since(hours(49) + seconds(61)), "2d 1:01:01");
}

TEST(Quotes, AreFoundHoweverTheyAreFolded) {
  const std::string reply = "450 4.7.25 Client host rejected: no PTR record";
  struct Case {
    const char* text;
    bool found;
    std::vector<bool> marked;
  };
  for (const Case& one : {
           Case{"said:\n 450 4.7.25 Client host rejected: no PTR record\nbye\n",
                true,
                {false, true, false}},
           Case{"said: Client host\n    rejected: no PTR\n record.\nbye",
                true,
                {true, true, true, false}},
           Case{"the message expired\n", false, {false}},
           Case{"Client host rejected: no reason\n", false, {false}},
           Case{"", false, {}},
       }) {
    const QuotedText quoted = mark_quotes(one.text, reply);
    EXPECT_EQ(quoted.found, one.found) << one.text;
    EXPECT_EQ(quoted.marked, one.marked) << one.text;
  }
  EXPECT_FALSE(mark_quotes("anything", "").found);
}

// --- mistakes in files

std::string problems_of(const std::string& text) {
  std::string problems;
  for (const auto& diagnostic : read_scenario(text, "f.toml", profiles()).diagnostics)
    problems += diagnostic.text() + "\n";
  return problems;
}

constexpr const char* small = R"(
[[server]]
id = "a"
name = "mail.a.example"
address = "192.0.2.1"
engine = "profile"
profile = "postfix"
[[program]]
id = "p"
address = "192.0.2.2"
server = "a"
)";

TEST(ScenarioFile, TellsLineAndRemedyOfEachMistake) {
  EXPECT_EQ(problems_of(small), "");
  const std::string good(small);
  struct Case {
    std::string text;
    const char* problem;
  };
  for (const Case& one : {
           Case{"title = 5\n" + good, "f.toml:1:9: title: must be a string in quotes"},
           Case{"run_fro = \"1h\"\n" + good, "f.toml:1:1: run_fro: unknown key; did you mean"},
           Case{"a = [\n", "not TOML"},
           Case{"", "server: there is none"},
           Case{"zone = \"\"\"\nx.example A 1.2.3\n\"\"\"\n" + good, "zone: is no zone text"},
           Case{good + "[[server]]\nid = \"a\"\nname = \"b\"\naddress = \"192.0.2.9\"\n"
                       "engine = \"mailboxes\"\n",
                "\"a\" stands for another one already"},
           Case{good + "[[server]]\nid = \"b\"\nname = \"b\"\naddress = \"192.0.2.1\"\n"
                       "engine = \"mailboxes\"\n",
                "is another one's already"},
           Case{good + "[[server]]\nid = \"b\"\nname = \"b\"\naddress = \"192.0.2.9\"\n"
                       "engine = \"profile\"\nprofile = \"postfx\"\n",
                "there is no \"postfx\"; did you mean \"postfix\"?"},
           Case{good + "[[server]]\nid = \"b\"\nname = \"b\"\naddress = \"192.0.2.9\"\n"
                       "engine = \"postern\"\n[server.postern]\nmode = \"enforced\"\n",
                "[server.postern] mode: \"enforced\" is not a choice here"},
           Case{
               good + "[[mail]]\nprogram = \"q\"\nfrom = \"x@a.example\"\nto = [\"y@b.example\"]\n",
               "there is no \"q\""},
           Case{good + "[[mail]]\nprogram = \"p\"\nfrom = \"x\"\nto = [\"y@b.example\"]\n",
                "f.toml:14:8: [mail] from: is not a mail address"},
           Case{good +
                    "[[mail]]\nprogram = \"p\"\nfrom = \"x@a.example\"\nto = [\"y@b.example\"]\n"
                    "[[mail]]\nprogram = \"p\"\nfrom = \"x@a.example\"\nto = [\"Y@b.example\"]\n",
                "another mail goes from"},
           Case{good + "[[event]]\nat = \"1h\"\n", "says 0 things that happen"},
           Case{good + "[[event]]\nat = \"1h\"\ndown = \"a\"\n", "until: is missing"},
           Case{good + "[[expect]]\nreport = \"success\"\nto = \"x@a.example\"\n",
                "\"success\" is not a choice here"},
           Case{"upstream = \"z\"\n" + good, "upstream: there is no \"z\""},
       })
    EXPECT_THAT(problems_of(one.text), HasSubstr(one.problem)) << one.text;
}

// --- flows that are not shipped

FinishedFlow ran_text(const std::string& text) {
  const ReadScenario read = read_scenario(text, "f.toml", profiles());
  for (const auto& diagnostic : read.diagnostics) ADD_FAILURE() << diagnostic.text();
  return ran(read.scenario);
}

constexpr const char* two_servers = R"(
upstream = "a"
zone = """
a.example MX 10 mail.a.example
mail.a.example A 192.0.2.1
[192.0.2.1] PTR mail.a.example
b.example MX 10 mail.b.example
mail.b.example A 192.0.2.3
"""
[[server]]
id = "a"
name = "mail.a.example"
address = "192.0.2.1"
engine = "profile"
profile = "exim"
mailboxes = ["ann@a.example", "eve@a.example"]
[[server]]
id = "b"
name = "mail.b.example"
address = "192.0.2.3"
engine = "mailboxes"
mailboxes = ["bob@b.example"]
[[program]]
id = "p"
address = "192.0.2.2"
server = "a"
)";

TEST(ProfileServer, EachRecipientOfAMessageHasItsOwnFate) {
  const FinishedFlow finished = ran_text(std::string(two_servers) + R"(
[[mail]]
program = "p"
from = "ann@a.example"
to = ["bob@b.example", "nobody@b.example", "eve@a.example"]
subject = "To three"
)");
  EXPECT_EQ(broken(finished), "");
  ASSERT_EQ(finished.account.mails.size(), 3U);
  EXPECT_EQ(finished.account.mails[0].end, "in the mailbox of bob@b.example");
  EXPECT_EQ(finished.account.mails[1].end, "given up; mail.a.example owes ann@a.example a report");
  EXPECT_EQ(finished.account.mails[2].end, "in the mailbox of eve@a.example");
  ASSERT_EQ(finished.account.reports.size(), 1U);
  EXPECT_EQ(finished.account.reports[0].about, "nobody@b.example");
  EXPECT_TRUE(finished.account.reports[0].quotes_reply);
  EXPECT_LT(finished.account.reports[0].at, seconds(5));
}

TEST(ProfileServer, AHostThatIsDownIsTriedAgain) {
  const FinishedFlow finished = ran_text(std::string(two_servers) + R"(
[[mail]]
program = "p"
from = "ann@a.example"
to = ["bob@b.example"]
[[event]]
at = "0s"
until = "40m"
down = "b"
)");
  EXPECT_EQ(broken(finished), "");
  ASSERT_EQ(finished.flow->history().letters.size(), 1U);
  EXPECT_EQ(std::chrono::round<seconds>(finished.flow->history().letters[0].at), minutes(45));
  EXPECT_TRUE(finished.account.reports.empty());
}

TEST(ProfileServer, AUserIsToldAtOnceOfWhatIsNotTaken) {
  const FinishedFlow finished = ran_text(std::string(two_servers) + R"(
[[mail]]
program = "p"
from = "ann@a.example"
to = ["unknown@a.example"]
)");
  ASSERT_EQ(finished.account.users[0].saw.size(), 2U);
  EXPECT_THAT(finished.account.users[0].saw[1].text,
              HasSubstr("it was not sent: 550 5.1.1 <unknown@a.example>"));
  EXPECT_THAT(finished.account.mails[0].end, HasSubstr("never taken"));
}

TEST(Flow, PosternItselfMayBeTheServerThatReports) {
  const FinishedFlow finished = ran_text(R"(
zone = """
a.example MX 10 mail.a.example
mail.a.example A 192.0.2.1
b.example MX 10 gw.b.example
gw.b.example A 198.51.100.25
"""
[[server]]
id = "a"
name = "mail.a.example"
address = "192.0.2.1"
engine = "postern"
[server.postern]
relay_domains = ["a.example"]
route = "home"
retry = ["1h"]
lifetime = "1d"
[[server]]
id = "home"
name = "home.a.example"
address = "192.0.2.4"
engine = "mailboxes"
mailboxes = ["ann@a.example"]
[[server]]
id = "gw"
name = "gw.b.example"
address = "198.51.100.25"
engine = "postern"
[server.postern]
relay_domains = ["b.example"]
reply_style = "postfix"
actions = { no_ptr = "451" }
[[program]]
id = "p"
address = "192.0.2.2"
server = "a"
[[mail]]
program = "p"
from = "ann@a.example"
to = ["bob@b.example"]
[[expect]]
refused = "451 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]"
from_server = "a"
by = "gw"
count = 25
[[expect]]
report = "failure"
to = "ann@a.example"
by = "a"
at = "1d"
within = "1m"
quotes_reply = true
count = 1
)");
  EXPECT_EQ(broken(finished), "");
  EXPECT_EQ(finished.verdicts.size(), 3U) << "these two, and what the ledger says";
}

TEST(ProfilesFile, TellsLineAndRemedyOfEachMistake) {
  struct Case {
    const char* text;
    const char* problem;
  };
  for (const Case& one : {
           Case{"[x]\nretry = [300]\nthen = 300\nreports = false\n", "give_up: is missing"},
           Case{"[x]\nretry = [300, 0]\nthen = 1\ngive_up = 10\nreports = false\n",
                "f.toml:2:15: [x] retry: holds something"},
           Case{"[x]\nretry = [1]\nthen = 1\ngive_up = 100000\nreports = false\n",
                "gives more than 10000 attempts"},
           Case{"[x]\nretry = [300]\nthen = 300\ngive_up = 900\n", "report_text: is missing"},
           Case{"[x]\nquotes_replay = true\nreports = false\n",
                "quotes_replay: unknown key; did you mean"},
           Case{"", "holds 0 profiles"},
       }) {
    std::string problems;
    for (const auto& diagnostic : upstream::read_profiles(one.text, "f.toml").diagnostics)
      problems += diagnostic.text() + "\n";
    EXPECT_THAT(problems, HasSubstr(one.problem)) << one.text;
  }
}

}  // namespace
}  // namespace postern::lab
