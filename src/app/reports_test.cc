#include "app/reports.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/options.h"

namespace postern::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* relay = "[relay]\ndomains = [\"a.example\"]\n";

ReadConfiguration read(const std::string& text) {
  return read_configuration(relay + text, "p.toml", "gw.example.org");
}

std::vector<std::string> told(const ReadConfiguration& read) {
  std::vector<std::string> lines;
  lines.reserve(read.diagnostics.size());
  for (const Diagnostic& diagnostic : read.diagnostics) lines.push_back(diagnostic.text());
  return lines;
}

/// A directory of templates, gone with the test.
class Templates : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string section(const std::string& languages) const {
    return "[reports]\nlanguages = [" + languages + "]\ntemplates = \"" + directory_ + "\"\n";
  }
  const std::string directory_ = testing::TempDir() + "templates_" +
                                 testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST(Reports, ShippedLanguagesInTheirOrder) {
  const auto [c, diagnostics] = read("[reports]\nlanguages = [\"de\", \"en\"]\n");
  EXPECT_THAT(diagnostics, IsEmpty());
  EXPECT_THAT(c.reports.wordings,
              ElementsAre(*dsn::Wording::shipped("de"), *dsn::Wording::shipped("en")));
  const auto options = server_options(c);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->delivery.report_wordings, c.reports.wordings);
  EXPECT_THAT(read("").configuration.reports.wordings, ElementsAre(*dsn::Wording::shipped("en")));
}

TEST(Reports, WrongKeys) {
  struct Case {
    const char* why;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"no language", "languages = []", "p.toml:4:13: [reports] languages: is empty"},
      {"not a tag", "languages = [\"en_GB\"]",
       R"(p.toml:4:14: [reports] languages: "en_GB" is not a language tag; write one such as)"},
      {"a path", "languages = [\"../en\"]", "p.toml:4:14: [reports] languages: \"../en\" is not"},
      {"the same twice", "languages = [\"en\", \"EN\"]",
       R"(p.toml:4:20: [reports] languages: "EN" stands in the list twice)"},
      {"not shipped", "languages = [\"en\", \"fr\"]",
       "p.toml:4:13: [reports] languages: \"fr\" is not shipped, and templates names no directory; "
       "write a template for it, or use one of: en, de"},
      {"too many", R"(languages = ["a1","b1","c1","d1","e1","f1","g1","h1","i1"])",
       "p.toml:4:13: [reports] languages: has 9 values; give 8 at most"},
      {"relative path", "templates = \"reports\"", "p.toml:4:13: [reports] templates: \"reports\""},
      {"no directory", "templates = \"/nonexistent\"",
       "p.toml:4:13: [reports] templates: \"/nonexistent\" is no directory"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(told(read(std::string("[reports]\n") + c.text)),
                ElementsAre(StartsWith(c.expected)))
        << c.why;
}

TEST(Reports, LanguageTags) {
  for (const char* good : {"en", "pt-BR", "zh-Hant-TW", "de-1996", "sl-rozaj"})
    EXPECT_TRUE(parse_language(good)) << good;
  for (const char* bad : {"", "e", "-en", "en-", "en--GB", "e1", "en.txt", "abcdefghi",
                          "en-abcdefghi", "en-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd", "d\xc3\xa9"})
    EXPECT_FALSE(parse_language(bad)) << bad;
}

TEST_F(Templates, StandForTheShippedWords) {
  put("de.txt", "[subject.failed]\nUnzustellbar\n");
  const auto [c, diagnostics] = read(section("\"en\", \"de\""));
  EXPECT_THAT(diagnostics, IsEmpty());
  ASSERT_EQ(c.reports.wordings.size(), 2U);
  const dsn::Wording& german = c.reports.wordings[1];
  EXPECT_EQ(german.language(), "de");
  EXPECT_EQ(german.text("subject.failed"), "Unzustellbar");
  EXPECT_EQ(german.text("failed"), dsn::Wording::shipped("de")->text("failed")) << "the rest";
  EXPECT_THAT(summary(c), HasSubstr("in en, de, templates in " + directory_));
}

TEST_F(Templates, MayBringALanguage) {
  std::string text(dsn::Wording::shipped_template("en"));
  put("pt-BR.txt", text);
  const auto whole = read(section("\"pt-BR\""));
  EXPECT_THAT(told(whole), IsEmpty());
  ASSERT_EQ(whole.configuration.reports.wordings.size(), 1U);
  EXPECT_EQ(whole.configuration.reports.wordings[0].language(), "pt-BR");

  put("pt-BR.txt", text.erase(text.find("[cause.expired]"),
                              text.find("[cause.refused]") - text.find("[cause.expired]")));
  const auto part = read(section("\"pt-BR\""));
  EXPECT_FALSE(has_errors(part.diagnostics));
  EXPECT_THAT(told(part), ElementsAre(StartsWith(directory_ +
                                                 "/pt-BR.txt: warning: lacks sections that reports "
                                                 "will have in English: [cause.expired]; add")));
}

TEST_F(Templates, EveryMistakeIsToldAtItsLine) {
  put("en.txt", "[advice]\nask {whom}\n[falied]\n[subject.failed]\n\n");
  const auto wrong = read(section("\"en\""));
  const std::string file = directory_ + "/en.txt";
  EXPECT_THAT(
      told(wrong),
      ElementsAre(StartsWith(file + ":2:1: unknown placeholder {whom}; section [advice] knows"),
                  StartsWith(file + ":3:1: there is no section [falied]; there are:"),
                  StartsWith(file + ":4:1: section [subject.failed] must be one line")));
  EXPECT_TRUE(has_errors(wrong.diagnostics));
  put("en.txt", std::string(70'000, '#'));
  EXPECT_THAT(told(read(section("\"en\""))),
              ElementsAre(file + ": the template is larger than 64 KiB; make it shorter"));
}

TEST_F(Templates, FilesThatAreMissingOrOfNoUse) {
  EXPECT_THAT(told(read(section("\"fr\""))),
              ElementsAre(HasSubstr("\"fr\" is not shipped, and there is no " + directory_ +
                                    "/fr.txt; write a template")));
  put("dd.txt", "[nonsense]");
  put("README", "[nonsense]");
  EXPECT_THAT(told(read(section("\"de\""))),
              ElementsAre(StartsWith(directory_ +
                                     "/dd.txt: warning: is not used: [reports] languages has no "
                                     "\"dd\"; add it there, or")));
  std::filesystem::create_directory(directory_ + "/de.txt");
  EXPECT_THAT(told(read(section("\"de\""))), testing::Contains(HasSubstr("cannot be read")))
      << "the shipped words would hide the mistake";
}

}  // namespace
}  // namespace postern::app
