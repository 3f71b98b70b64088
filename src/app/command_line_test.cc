#include "app/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include <boost/json/parse.hpp>

#include "app/fsck_command.h"
#include "app/queue_commands.h"
#include "settings/diagnostic.h"

namespace postern::app {
namespace {

using testing::HasSubstr;

using Words = std::vector<std::string>;

Invocation parse(const Words& words) {
  return parse_command_line(commands(), words);
}

struct GoodCase {
  const char* reason;
  Words words;
  const char* command;
  Arguments expected;
};

void expect_as_told(const Invocation& invocation, const GoodCase& good) {
  EXPECT_EQ(invocation.command->name, good.command) << good.reason;
  EXPECT_EQ(invocation.arguments.config, good.expected.config) << good.reason;
  EXPECT_EQ(invocation.arguments.json, good.expected.json) << good.reason;
  EXPECT_EQ(invocation.arguments.check_only, good.expected.check_only) << good.reason;
  EXPECT_EQ(invocation.arguments.id, good.expected.id) << good.reason;
  const Arguments::Queue& queue = invocation.arguments.queue;
  EXPECT_EQ(queue.ids, good.expected.queue.ids) << good.reason;
  EXPECT_EQ(queue.sender, good.expected.queue.sender) << good.reason;
  EXPECT_EQ(queue.older_than, good.expected.queue.older_than) << good.reason;
  EXPECT_EQ(queue.dry_run, good.expected.queue.dry_run) << good.reason;
  const Arguments::Reports& reports = invocation.arguments.reports;
  EXPECT_EQ(reports.language, good.expected.reports.language) << good.reason;
  EXPECT_EQ(reports.template_file, good.expected.reports.template_file) << good.reason;
  EXPECT_EQ(reports.action, good.expected.reports.action) << good.reason;
  EXPECT_EQ(reports.status, good.expected.reports.status) << good.reason;
  EXPECT_EQ(reports.message, good.expected.reports.message) << good.reason;
  EXPECT_EQ(invocation.arguments.fsck.spool, good.expected.fsck.spool) << good.reason;
  EXPECT_EQ(invocation.arguments.fsck.repair, good.expected.fsck.repair) << good.reason;
  EXPECT_EQ(invocation.arguments.explain.case_id, good.expected.explain.case_id) << good.reason;
  EXPECT_EQ(invocation.arguments.explain.client, good.expected.explain.client) << good.reason;
  const Arguments::Ledger& ledger = invocation.arguments.ledger;
  EXPECT_EQ(ledger.id, good.expected.ledger.id) << good.reason;
  EXPECT_EQ(ledger.outcome, good.expected.ledger.outcome) << good.reason;
  EXPECT_EQ(ledger.count_max, good.expected.ledger.count_max) << good.reason;
  EXPECT_EQ(ledger.after, good.expected.ledger.after) << good.reason;
  EXPECT_EQ(invocation.arguments.impact.since, good.expected.impact.since) << good.reason;
}

TEST(CommandLine, Understands) {
  const Arguments defaults;
  EXPECT_EQ(defaults.config, "/etc/postern/postern.toml");
  const std::vector<GoodCase> cases = {
      {"default file", {"run"}, "run", {}},
      {"file", {"run", "--config", "p.toml"}, "run", {.config = "p.toml"}},
      {"file with equals sign", {"run", "--config=p.toml"}, "run", {.config = "p.toml"}},
      {"short", {"check", "-c", "p.toml"}, "check", {.config = "p.toml"}},
      {"check only", {"run", "--check-only"}, "run", {.check_only = true}},
      {"json", {"check", "--json"}, "check", {.json = true}},
      {"list", {"queue", "list", "--json"}, "queue list", {.json = true}},
      {"show", {"queue", "show", "ABC"}, "queue show", {.id = "ABC"}},
      {"options behind the id",
       {"queue", "retry", "ABC", "--config", "p"},
       "queue retry",
       {.config = "p", .queue = {.ids = {"ABC"}}}},
      {"several ids",
       {"queue", "remove", "ABC", "DEF"},
       "queue remove",
       {.queue = {.ids = {"ABC", "DEF"}}}},
      {"selection",
       {"queue", "hold", "--sender", "<>", "--older-than", "4h", "--dry-run"},
       "queue hold",
       {.queue = {.sender = "<>", .older_than = "4h", .dry_run = true}}},
      {"three words", {"queue", "dead", "show", "ABC"}, "queue dead show", {.id = "ABC"}},
      {"flush", {"queue", "flush"}, "queue flush", {}},
      {"template",
       {"reports", "template", "en"},
       "reports template",
       {.reports = {.language = "en"}}},
      {"preview", {"reports", "preview"}, "reports preview", {}},
      {"preview of a file",
       {"reports", "preview", "--template", "fr.txt", "--action", "delayed", "--status", "4.2.2",
        "--message"},
       "reports preview",
       {.reports =
            {.template_file = "fr.txt", .action = "delayed", .status = "4.2.2", .message = true}}},
      {"fsck",
       {"queue", "fsck", "--spool", "/s", "--repair"},
       "queue fsck",
       {.fsck = {.spool = "/s", .repair = true}}},
      {"a case", {"explain", "4F7KQ2", "--mail"}, "explain", {.explain = {.case_id = "4F7KQ2"}}},
      {"a client", {"explain", "--client", "::1"}, "explain", {.explain = {.client = "::1"}}},
      {"deferrals",
       {"ledger", "list", "--outcome", "given_up", "--limit", "5", "--after", "17"},
       "ledger list",
       {.ledger = {.outcome = "given_up", .count_max = 5, .after = "17"}}},
      {"one of them", {"ledger", "show", "17"}, "ledger show", {.ledger = {.id = "17"}}},
      {"impact", {"impact", "--since", "2d"}, "impact", {.impact = {.since = "2d"}}},
      {"version", {"version"}, "version", {}},
  };
  for (const GoodCase& good : cases) {
    const Invocation invocation = parse(good.words);
    ASSERT_NE(invocation.command, nullptr) << good.reason << ": " << invocation.error;
    expect_as_told(invocation, good);
  }
}

struct BadCase {
  const char* reason;
  Words words;
  const char* expected;
};

TEST(CommandLine, RefusesAndSaysWhatToDo) {
  const std::vector<BadCase> cases = {
      {"nothing", {}, "--help"},
      {"unknown command", {"chekc"}, "did you mean \"check\"?"},
      {"a command like no other", {"frobnicate"}, "There is no command \"frobnicate\"."},
      {"unknown command of queue", {"queue", "lsit"}, "did you mean \"list\"?"},
      {"unknown command of queue dead", {"queue", "dead", "shwo"}, "did you mean \"show\"?"},
      {"no --held for dead letters", {"queue", "dead", "list", "--held"}, "--held"},
      {"queue alone", {"queue"}, "--help"},
      {"unknown option", {"run", "--verbose"}, "--verbose"},
      {"option of another command", {"run", "--json"}, "--json"},
      {"no id", {"queue", "show"}, "ID"},
      {"no language", {"reports", "template"}, "LANGUAGE"},
      {"a case and a client", {"explain", "4F7KQ2", "--client", "::1"}, "--client"},
      {"a name for a case", {"explain", "4F7KQ2", "--helo", "h"}, "--helo"},
      {"unknown command of ledger", {"ledger", "shwo"}, "did you mean \"show\"?"},
      {"no list without end", {"ledger", "list", "--limit", "0"}, "--limit"},
      {"two ids", {"queue", "show", "A", "B"}, "B"},
      {"no file", {"run", "--config"}, "--config"},
      {"two spools", {"queue", "fsck", "--spool", "/s", "--config", "p"}, "--spool"},
  };
  for (const BadCase& bad : cases) {
    const Invocation invocation = parse(bad.words);
    EXPECT_EQ(invocation.command, nullptr) << bad.reason;
    EXPECT_EQ(invocation.exit_code, ExitCode::wrong_usage) << bad.reason;
    EXPECT_THAT(invocation.error, HasSubstr(bad.expected)) << bad.reason;
    EXPECT_EQ(invocation.output, "") << bad.reason;
  }
}

TEST(CommandLine, EveryCommandHasHelpWithExamples) {
  for (const Command& command : commands()) {
    Words words;
    std::istringstream name{std::string(command.name)};
    for (std::string word; name >> word;) words.push_back(word);
    words.emplace_back("--help");
    const Invocation invocation = parse(words);
    EXPECT_EQ(invocation.command, nullptr) << command.name;
    EXPECT_EQ(invocation.exit_code, ExitCode::ok) << command.name;
    EXPECT_THAT(invocation.output, HasSubstr("Examples:\n  postern ")) << command.name;
    EXPECT_THAT(invocation.output, HasSubstr("Exit status: 0 done")) << command.name;
  }
  EXPECT_THAT(parse({"--help"}).output, HasSubstr("check"));
}

TEST(Fsck, TellsPeopleAndPrograms) {
  queue::Finding finding{.kind = "content-missing",
                         .id = "0000000000ABC",
                         .where = "content/\x1b",
                         .what = "gone",
                         .consequence = "late",
                         .repair = "mends it"};
  EXPECT_EQ(finding_text(finding),
            "content-missing  0000000000ABC  content/\\x1b\n    what         gone\n"
            "    consequence  late\n    --repair     mends it\n");
  EXPECT_EQ(finding_json(finding).at("state"), "found");
  EXPECT_FALSE(finding_json(finding).contains("error"));
  queue::FsckReport report;
  report.messages = 2;
  EXPECT_THAT(fsck_summary(report, queue::FsckMode::look), HasSubstr("all is well"));
  report.count(finding);
  EXPECT_EQ(report.left, 1U);
  EXPECT_THAT(fsck_summary(report, queue::FsckMode::look), HasSubstr("Nothing was changed"));
  finding.state = queue::Finding::State::failed;
  finding.error = "disk full";
  EXPECT_THAT(finding_text(finding), HasSubstr("FAILED       disk full"));
  EXPECT_EQ(finding_json(finding).at("error"), "disk full");
  report.count(finding);
  finding.state = queue::Finding::State::mended;
  report.count(finding);
  EXPECT_THAT(finding_text(finding), HasSubstr("mended       mends it"));
  EXPECT_THAT(fsck_summary(report, queue::FsckMode::repair),
              HasSubstr("3 findings, 1 mended, 2 left"));
}

TEST(CommandLine, NearestWord) {
  const std::vector<std::string> known = {"mode", "reply_style", "recipients_max", "deadline"};
  EXPECT_EQ(settings::nearest("mdoe", known), "mode");
  EXPECT_EQ(settings::nearest("Mode", known), "mode");
  EXPECT_EQ(settings::nearest("recipients", known), "recipients_max");
  EXPECT_EQ(settings::nearest("xyz", known), "");
  EXPECT_EQ(settings::nearest(std::string(100'000, 'm'), known), "");
}

class QueueText : public testing::Test {
 protected:
  static boost::json::object object(std::string_view text) {
    return boost::json::parse(text).as_object();
  }
  // 2026-11-24T03:25:53Z
  const WallTime now_ = WallTime(std::chrono::seconds(1795490753));
};

TEST_F(QueueText, Times) {
  EXPECT_EQ(time_until("2026-11-24T03:30:05.000Z", now_), "in 4m12s");
  EXPECT_EQ(time_until("2026-11-24T03:25:00.000Z", now_), "now");
  EXPECT_EQ(time_since("2026-11-22T01:25:53.000Z", now_), "2d2h ago");
  EXPECT_EQ(time_since("2026-11-24T03:25:53.000Z", now_), "now");
  EXPECT_EQ(time_until("soon", now_), "soon");
  EXPECT_EQ(time_until("2026-13-40T03:30:05.000Z", now_), "2026-13-40T03:30:05.000Z");
}

TEST_F(QueueText, RowsStandUnderTheirHeads) {
  const std::string head = queue_table_head();
  const std::string row =
      queue_table_row(object(R"({"id":"00000000000AB","reverse_path":"a@example.com","bytes":1234,
                 "arrived":"2026-11-24T03:25:03.000Z","next_attempt":"2026-11-24T03:30:05.000Z",
                 "recipients_waiting":2,"in_delivery":false})"),
                      now_);
  EXPECT_EQ(row.find("a@example.com"), head.find("SENDER"));
  EXPECT_EQ(row.find("1234") + 4, head.find("BYTES") + 5);
  EXPECT_THAT(row, HasSubstr("50s ago"));
  EXPECT_THAT(row, HasSubstr("in 4m12s"));
  EXPECT_THAT(queue_table_row(object(R"({"id":"X","reverse_path":"","in_delivery":true})"), now_),
              testing::AllOf(HasSubstr("under way"), HasSubstr("<> (a report)")));
}

TEST_F(QueueText, WhatAChangeCameTo) {
  ChangeSum sum;
  sum.add(object(R"({"chosen":4,"changed":2,"missing":["M"],
                     "unchanged":[{"id":"A","why":"in_delivery"},{"id":"B","why":"held"}]})"));
  EXPECT_TRUE(sum.incomplete());
  sum.add(object(R"({"chosen":1,"changed":1,"missing":[],"unchanged":[]})"));
  const std::string text = sum.text("removed");
  EXPECT_THAT(text, HasSubstr("3 messages removed\n"));
  EXPECT_THAT(text, HasSubstr("being delivered just now; run this again for them\n  A\n"));
  EXPECT_THAT(text, HasSubstr("1 message not there:\n  M\n"));
  EXPECT_EQ(sum.json().at("changed").as_uint64(), 3U);
  ChangeSum odd;
  odd.add(object(R"({"chosen":"x","unchanged":[7],"missing":{}})"));
  EXPECT_FALSE(odd.incomplete());
}

TEST_F(QueueText, MessageWithItsRecipients) {
  const std::string text = queue_message_text(
      object(R"({"id":"X","reverse_path":"a@example.com","client":"192.0.2.7","client_name":"",
                 "helo":"mx","protocol":"ESMTP","arrived":"2026-11-24T03:25:03.000Z","bytes":5,
                 "recipients":[{"address":"b@example.net","state":"waiting","attempts":1,
                   "next_attempt":"2026-11-24T03:30:05.000Z","last_reply":"450 4.2.0 later",
                   "last_remote":"mx.example.net [192.0.2.9]:25"}, 7]})"),
      now_);
  EXPECT_THAT(text, HasSubstr("unknown [192.0.2.7], HELO mx, ESMTP"));
  EXPECT_THAT(text, HasSubstr("b@example.net\n    waiting after 1 attempt, next in 4m12s\n"));
  EXPECT_THAT(text, HasSubstr("last: mx.example.net [192.0.2.9]:25: 450 4.2.0 later"));
  const std::string refused =
      queue_message_text(object(R"({"recipients":[{"last_remote":"[192.0.2.9]:25",
                 "last_reply":"[192.0.2.9]:25: connection refused"}]})"),
                         now_);
  EXPECT_THAT(refused, HasSubstr("last: [192.0.2.9]:25: connection refused\n"));
}

TEST_F(QueueText, ReplyOfAnotherShapeIsHarmless) {
  EXPECT_THAT(queue_table_row(object(R"({"id":5,"bytes":"x","arrived":[]})"), now_),
              HasSubstr("\n"));
  EXPECT_THAT(queue_message_text(object(R"({"recipients":{}})"), now_), HasSubstr("message"));
}

}  // namespace
}  // namespace postern::app
