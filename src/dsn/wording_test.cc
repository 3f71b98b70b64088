#include "dsn/wording.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "dsn/human_part.h"
#include "dsn/report_fixture.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

const Wording& english() {
  return *Wording::shipped("en");
}

Wording changed(std::string_view text) {
  auto wording = Wording::parse(text, "en", english());
  EXPECT_TRUE(wording) << wording.error().front().what;
  return wording ? *std::move(wording) : Wording();
}

TEST(Wording, ShippedOnesSayEverything) {
  for (const auto language : Wording::shipped_languages()) {
    const Wording* wording = Wording::shipped(language);
    ASSERT_NE(wording, nullptr);
    EXPECT_EQ(wording->language(), language);
    EXPECT_TRUE(Wording::parse(Wording::shipped_template(language), "x", {}));
    for (const char* section :
         {"subject.failed", "subject.delayed", "subject.delivered", "subject.postmaster", "failed",
          "delayed", "delivered", "postmaster", "group.many", "group.alike", "group.more",
          "cause.expired", "cause.refused", "cause.local", "cause.delayed", "cause.delivered",
          "cause.relayed", "cause.expanded", "advice.expired"})
      EXPECT_FALSE(wording->text(section).empty()) << language << " " << section;
    for (const char* status :
         {"5.1.1", "5.1.2", "5.1.10", "5.2.2", "5.2.3", "5.3.4", "5.4.4", "5.6.0", "5.7.1"})
      EXPECT_FALSE(wording->text("advice", status).empty()) << language << " " << status;
  }
  EXPECT_EQ(Wording::shipped("xx"), nullptr);
  EXPECT_TRUE(Wording::shipped_template("xx").empty());
}

TEST(Wording, TheMostSpecialTextCounts) {
  const Wording wording = changed(
      "[advice]\nall\n[advice.5.1]\nclass\n[advice.5.1.1]\none\n[cause.local.4.4.1]\nlocal\n");
  EXPECT_EQ(wording.text("advice", "5.1.1"), "one");
  EXPECT_EQ(wording.text("advice", "5.1.3"), "class");
  EXPECT_EQ(wording.text("advice", "5.1.10"), english().text("advice.5.1.10"));
  EXPECT_EQ(wording.text("advice", "5.0.0"), "all");
  EXPECT_EQ(wording.text("cause.local", "4.4.1"), "local");
  EXPECT_EQ(wording.text("cause.local", "4.4.2"), "{reason}");
  EXPECT_EQ(wording.text("failed"), english().text("failed")) << "what is left out";
  EXPECT_EQ(changed("[advice.5.7]\n").text("advice", "5.7.1"), "") << "an empty text says nothing";
}

TEST(Wording, FaultsAreToldWithTheirLine) {
  struct Case {
    const char* why;
    std::string text;
    std::size_t line;
    const char* what;
  };
  const Case cases[] = {
      {"misspelt placeholder", "# c\n[advice]\nAsk {postmastr}.\n", 3,
       "unknown placeholder {postmastr}; section [advice] knows {hostname} {remote} {reply}"},
      {"placeholder of another section", "[advice]\nx\n[subject.failed]\nTo {remote}\n", 4,
       "unknown placeholder {remote}"},
      {"open brace", "[advice]\nx {reply\n", 2, "unknown placeholder {reply}"},
      {"misspelt section", "[advise]\nx\n", 1, "there is no section [advise]; there are: subject."},
      {"a status where none may be", "[failed.5.1]\n{recipients}\n", 1, "no section [failed.5.1]"},
      {"no status", "[advice.5]\nx\n", 1, "no section [advice.5]"},
      {"twice", "[advice]\nx\n[advice]\ny\n", 3, "is there twice"},
      {"text before a section", "\nhello\n", 2, "before the first section"},
      {"no recipients", "[advice]\nx\n[failed]\nsorry\n", 3, "needs {recipients} once"},
      {"recipients in a sentence", "[failed]\nsorry\nfor {recipients}\n", 3,
       "on a line of its own"},
      {"recipients where there are none", "[advice]\n{recipients}\n", 2, "unknown placeholder"},
      {"recipients twice", "[failed]\n{recipients}\n{recipients}\n", 1, "needs {recipients} once"},
      {"an empty subject", "[subject.failed]\n\n", 1, "must be one line"},
      {"two lines of subject", "[subject.failed]\na\nb\n", 1, "must be one line"},
      {"Latin-1", "[advice]\nok\ncaf\xe9\n", 3, "is not UTF-8"},
      {"a control character", "[advice]\na\x1b[1m\n", 2, "control character"},
      {"too large", std::string(70'000, '#'), 0, "larger than 64 KiB"},
  };
  for (const Case& c : cases) {
    const auto read = Wording::parse(c.text, "en", english());
    ASSERT_FALSE(read) << c.why;
    ASSERT_EQ(read.error().size(), 1U) << c.why << ": " << read.error()[1].what;
    const WordingProblem& problem = read.error().front();
    EXPECT_EQ(problem.line, c.line) << c.why;
    const std::string told = problem.what + "; " + problem.advice;
    EXPECT_TRUE(told.contains(c.what)) << c.why << ": " << told;
  }
}

TEST(Wording, EveryFaultIsTold) {
  const auto read = Wording::parse(
      "text\nmore\n[advise]\n{x}\n[failed]\n{y} {z}\n[advice]\n{remote\n\x01\n[advice]\n", "en",
      english());
  ASSERT_FALSE(read);
  std::vector<std::size_t> lines;
  for (const WordingProblem& problem : read.error()) lines.push_back(problem.line);
  EXPECT_EQ(lines, (std::vector<std::size_t>{1, 3, 5, 6, 6, 8, 9, 10}));

  std::string nonsense = "[advice]\n";
  for (int i = 0; i < 5000; ++i) nonsense += "{x}{y}\n";
  const auto endless = Wording::parse(nonsense, "en", english());
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().size(), wording_problems_max);
}

TEST(Wording, TellsWhatAnotherLanguageLacks) {
  const auto own = Wording::parse("[subject.failed]\nNon remis\n[advice.5.1]\nx\n", "fr", {});
  ASSERT_TRUE(own);
  const auto lacking = own->lacking(english());
  EXPECT_EQ(lacking.size(), 18U) << "all that English has but the subject";
  EXPECT_EQ(std::ranges::count(lacking, "subject.failed"), 0);
  EXPECT_EQ(std::ranges::count(lacking, "cause.refused"), 1);
  EXPECT_TRUE(Wording::shipped("de")->lacking(english()).empty());
}

TEST(Wording, FillsInAndWraps) {
  EXPECT_EQ(filled("one\ntwo {a}\n\n  kept\n  too\nthree {{x}", {{"a", "A"}}),
            "one two A\r\n\r\n  kept\r\n  too\r\nthree {x}\r\n");
  EXPECT_EQ(filled("above\n{recipients}\nbelow", {{"recipients", "<a@b>\r\n  c\r\n"}}),
            "above\r\n<a@b>\r\n  c\r\nbelow\r\n");
  const std::string lines = filled(std::string(40, 'a') + "\n" + std::string(40, 'b'), {}, "    ");
  EXPECT_EQ(lines, "    " + std::string(40, 'a') + "\r\n    " + std::string(40, 'b') + "\r\n");
}

TEST(Wording, ValuesAreNotReadAsTemplates) {
  auto report = basic();
  report.recipients[0].remote_reply = "550 {hostname} {{ {recipients} {evil}";
  const std::string text = human_part(report, english(), {});
  EXPECT_TRUE(text.contains("said: 550 {hostname} {{ {recipients}")) << text;
}

TEST(Wording, Comments) {
  const Wording wording = changed("\xef\xbb\xbf# bom\r\n[advice]\r\n# not shown\r\nshown\r\n");
  EXPECT_EQ(wording.text("advice"), "shown");
}

// --- grouping in the part for people

std::vector<RecipientResult> several(int count) {
  std::vector<RecipientResult> results;
  for (int i = 0; i < count; ++i) {
    auto result = refused();
    result.final_recipient = "user" + std::to_string(i) + "@example.com";
    result.remote_reply = "550 5.1.1 <User" + std::to_string(i) + "@example.com>: no such user";
    results.push_back(result);
  }
  return results;
}

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
    ++count;
  return count;
}

TEST(Grouping, FewStandAboveTheirReason) {
  auto report = basic();
  report.recipients = several(2);
  const std::string text = human_part(report, english(), {});
  EXPECT_TRUE(
      text.contains("<user0@example.com>\r\n<user1@example.com>\r\n"
                    "    The server mx.example.com said: 550 5.1.1 <...>: no such user\r\n"
                    "    Check the address for typing errors.\r\n"))
      << text;
}

TEST(Grouping, ManyStandBelowIt) {
  auto report = basic();
  report.recipients = several(500);
  report.recipients.push_back(expired());
  const std::string text = human_part(report, english(), {});
  EXPECT_TRUE(
      text.contains("500 recipients, all for the same reason:\r\n"
                    "    The server mx.example.com said: 550 5.1.1 <...>: no such user\r\n"
                    "    Check the address for typing errors.\r\n"
                    "  <user0@example.com>\r\n  <user1@example.com>\r\n"))
      << text.substr(0, 1500);
  EXPECT_TRUE(text.contains("  <user499@example.com>\r\n\r\n<bob@example.com>\r\n"));
  EXPECT_EQ(count_of(text, "no such user"), 1U);
}

TEST(Grouping, ManyReasonsOfOneKindAreShownOnce) {
  auto report = basic();
  report.recipients = several(100);
  for (std::size_t i = 0; i < 100; ++i)
    report.recipients[i].remote_reply = "550 5.1.1 no such user, session " + std::to_string(i);
  const std::string text = human_part(report, english(), {});
  EXPECT_TRUE(
      text.contains("100 recipients, for reasons of the same kind, such as:\r\n"
                    "    The server mx.example.com said: 550 5.1.1 no such user, session 0"))
      << text.substr(0, 1500);
  EXPECT_EQ(count_of(text, "session"), 1U);
}

TEST(Grouping, ListIsBounded) {
  auto report = basic();
  report.recipients = several(1000);
  const std::string text = human_part(report, english(), {.human_bytes_max = 4000});
  EXPECT_LT(text.size(), 6000U);
  const auto shown = count_of(text, "  <user");
  EXPECT_TRUE(text.contains("And " + std::to_string(1000 - shown) + " more recipients.")) << text;
}

TEST(Advice, FollowsTheStatus) {
  struct Case {
    const char* status;
    const char* advice;
  };
  const Case cases[] = {{"5.1.1", "typing errors"},  {"5.2.2", "mailbox is full"},
                        {"5.3.4", "Send a smaller"}, {"5.7.1", "Ask its"},
                        {"5.4.4", "behind the @"},   {"5.1.10", "takes no mail at all"}};
  for (const Case& c : cases) {
    auto report = basic();
    report.recipients[0].status = c.status;
    EXPECT_TRUE(human_part(report, english(), {}).contains(c.advice)) << c.status;
  }
  auto report = basic();
  report.recipients = {expired()};
  report.recipients[0].status = "5.1.1";
  const std::string text = human_part(report, english(), {});
  EXPECT_TRUE(text.contains("At the last"));
  EXPECT_TRUE(text.contains("Try again later"));
  EXPECT_FALSE(text.contains("typing errors")) << "the server was down, not the address wrong";
}

}  // namespace
}  // namespace postern::dsn
