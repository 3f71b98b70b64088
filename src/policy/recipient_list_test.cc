#include "policy/recipient_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::policy {
namespace {

bool holds(std::string_view list, std::string_view address, std::string_view delimiter = "") {
  const auto parsed = RecipientList::parse(list);
  EXPECT_EQ(parsed.problems_count, 0U) << list;
  return parsed.list.contains(*mail::parse_mailbox(address), delimiter);
}

TEST(RecipientList, ComparesAddresses) {
  struct Case {
    const char* reason;
    const char* list;
    const char* address;
    bool held;
    const char* delimiter = "";
  };
  const Case cases[] = {
      {"as written", "bob@example.com", "bob@example.com", true},
      {"another", "bob@example.com", "carol@example.com", false},
      {"another domain", "bob@example.com", "bob@example.net", false},
      {"in any case", "Bob@EXAMPLE.com", "bOB@example.COM", true},
      {"quoted for nothing", "\"bob\"@example.com", "bob@example.com", true},
      {"quoted by the client", "bob@example.com", "\"b\\ob\"@example.com", true},
      {"a blank inside quotes", "\"bob smith\"@example.com x", "\"bob smith\"@example.com", true},
      {"part of an address", "bob@example.com", "ob@example.com", false},
      {"part of a domain", "bob@example.com", "bob@example.co", false},
      {"one of many", "a@x.example\nb@x.example\r\nc@x.example\n", "b@x.example", true},
      {"the last, without line end", "a@x.example\nc@x.example", "c@x.example", true},
      {"comments, blanks, empty lines", "# bob\n\n  \t\n \tbob@example.com \n", "bob@example.com",
       true},
      {"a comment is no address", "#bob@example.com\na@example.com", "bob@example.com", false},
      {"Postfix's map", "bob@example.com OK", "bob@example.com", true},
      {"Postfix's map with a tab", "bob@example.com\tx # y", "bob@example.com", true},
      {"the domain", "@example.com", "anybody@example.com", true},
      {"the domain is not its subdomains", "@example.com", "bob@sub.example.com", false},
      {"an empty local part is not the domain", "bob@example.com", "\"\"@example.com", false},
      {"a delimiter", "bob@example.com", "bob+news@example.com", true, "+"},
      {"no delimiter configured", "bob@example.com", "bob+news@example.com", false},
      {"the extended address itself", "bob+news@example.com", "bob+news@example.com", true},
      {"the extended one is not the plain one", "bob+news@example.com", "bob@example.com", false,
       "+"},
      {"nothing before the delimiter", "bob@example.com", "+news@example.com", false, "+"},
      {"two delimiters", "bob@example.com", "bob+a+b@example.com", true, "+"},
      {"U-label in the list", "bob@xn--bcher-kva.example", "bob@XN--BCHER-KVA.example", true},
      {"an address literal", "bob@[192.0.2.1]", "bob@[192.0.2.1]", true},
      {"empty", "", "bob@example.com", false},
  };
  for (const Case& c : cases) EXPECT_EQ(holds(c.list, c.address, c.delimiter), c.held) << c.reason;
}

TEST(RecipientList, TellsWhatIsWrongByLine) {
  struct Case {
    const char* line;
    const char* what;
  };
  const Case cases[] = {
      {"bob", "\"bob\" has no domain"},
      {"postmaster", "\"postmaster\" has no domain"},
      {"bob@", "\"bob@\" is not a mail address"},
      {"@", "\"@\" is not a mail address"},
      {"@a b", ""},
      {"bob@example..com", "\"bob@example..com\" is not a mail address"},
      {"bob@example.com,carol@example.com", "\"bob@example.com,carol@example.com\" is not"},
      {"<bob@example.com>", "\"<bob@example.com>\" is not a mail address"},
      {"\"\"@example.com", "is not a mail address"},
      {"b\xc3\xb6"
       "b@example.com",
       "\"b\\xc3\\xb6"
       "b@example.com\" has characters beyond ASCII"},
  };
  for (const Case& c : cases) {
    const auto parsed = RecipientList::parse("# one\na@example.com\n" + std::string(c.line) + "\n");
    if (*c.what == '\0') {
      EXPECT_EQ(parsed.problems_count, 0U) << c.line;
      continue;
    }
    ASSERT_EQ(parsed.problems.size(), 1U) << c.line;
    EXPECT_EQ(parsed.problems[0].line, 3U);
    EXPECT_THAT(parsed.problems[0].what, testing::HasSubstr(c.what));
    EXPECT_FALSE(parsed.problems[0].advice.empty());
    EXPECT_EQ(parsed.list.size(), 1U);
  }
  const auto long_one = RecipientList::parse(std::string(300, 'a') + "@example.com");
  ASSERT_EQ(long_one.problems.size(), 1U);
  EXPECT_THAT(long_one.problems[0].what, testing::HasSubstr("longer than an address may be"));
}

TEST(RecipientList, BoundsWhatItTells) {
  std::string nonsense;
  for (int i = 0; i < 50; ++i) nonsense += "nonsense\n";
  const auto parsed = RecipientList::parse(nonsense);
  EXPECT_EQ(parsed.problems.size(), RecipientList::Parsed::problems_max);
  EXPECT_EQ(parsed.problems_count, 50U);
  const auto large = RecipientList::parse(std::string(RecipientList::bytes_max + 1, '#'));
  ASSERT_EQ(large.problems.size(), 1U);
  EXPECT_THAT(large.problems[0].what, testing::HasSubstr("larger than 64 MiB"));
}

TEST(RecipientList, KnowsWhichDomainsItNames) {
  const auto list = RecipientList::parse("a@one.example\n@two.example\nb@x.three.example").list;
  EXPECT_TRUE(list.names_domain("ONE.example"));
  EXPECT_TRUE(list.names_domain("two.example"));
  EXPECT_TRUE(list.names_domain(".three.example"));
  EXPECT_FALSE(list.names_domain("three.example"));
  EXPECT_FALSE(list.names_domain(".one.example"));
  EXPECT_FALSE(list.names_domain("ne.example"));
}

TEST(RecipientList, IsAValue) {
  const auto one = RecipientList::parse("a@x.example\nb@x.example").list;
  const auto same = RecipientList::parse("B@x.example\n# c\na@X.example\na@x.example").list;
  EXPECT_EQ(one, same);
  EXPECT_EQ(one.size(), 2U);
  EXPECT_NE(one, RecipientList::parse("a@x.example").list);
  EXPECT_EQ(RecipientList(), RecipientList::parse("# nobody").list);
  EXPECT_NE(RecipientList(), one);
}

TEST(RecipientList, CopesWithAHundredThousandAddresses) {
  std::string text;
  for (int i = 0; i < 100'000; ++i)
    text += "user" + std::to_string(i * 7919 % 100'000) + "@example.com\n";
  const auto parsed = RecipientList::parse(text);
  EXPECT_EQ(parsed.problems_count, 0U);
  EXPECT_EQ(parsed.list.size(), 100'000U);
  for (int i = 0; i < 100'000; i += 97) {
    const std::string user = "user" + std::to_string(i);
    EXPECT_TRUE(parsed.list.contains({user, "example.com"}, ""));
    EXPECT_FALSE(parsed.list.contains({user + "x", "example.com"}, ""));
  }
}

}  // namespace
}  // namespace postern::policy
