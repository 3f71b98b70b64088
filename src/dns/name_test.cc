#include "dns/name.h"

#include <gtest/gtest.h>

namespace postern::dns {
namespace {

TEST(DnsName, NormalizesOrRefuses) {
  const std::string label63(63, 'a');
  const std::string longest = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
  struct Case {
    std::string text;
    std::optional<std::string> expected;
    const char* reason;
  };
  const Case cases[] = {
      {"Mail.Example.COM.", "mail.example.com", "lower case, no trailing dot"},
      {"", "", "root"},
      {".", "", "root"},
      {"..", std::nullopt, "empty labels"},
      {".example.com", std::nullopt, "empty first label"},
      {"a..b", std::nullopt, "empty inner label"},
      {"a\\.b.example", "a\\.b.example", "a dot inside a label"},
      {"a\\032b", "a\\032b", "a space stays escaped"},
      {"a b", "a\\032b", "a raw space is escaped"},
      {"\\065bc", "abc", "an escaped letter is the letter"},
      {"\\065.\\066", "a.b", "lower-cased after the escape"},
      {"a\\256", std::nullopt, "no such byte"},
      {"a\\25", std::nullopt, "broken escape"},
      {"a\\", std::nullopt, "escape at the end"},
      {std::string("a\0b", 3), "a\\000b", "NUL"},
      {"caf\xc3\xa9", "caf\\195\\169", "bytes over 127"},
      {label63 + ".x", label63 + ".x", "label of 63"},
      {label63 + "a.x", std::nullopt, "label of 64"},
      {longest, longest, "name of 253"},
      {longest + "b", std::nullopt, "name of 254"},
  };
  for (const Case& c : cases) EXPECT_EQ(normalize_name(c.text), c.expected) << c.reason;
}

TEST(DnsName, WritesWireForm) {
  EXPECT_EQ(name_to_wire("a.bc"), std::string("\1a\2bc\0", 6));
  EXPECT_EQ(name_to_wire("A\\.b"), std::string("\3A.b\0", 5));
  EXPECT_EQ(name_to_wire("."), std::string("\0", 1));
  EXPECT_EQ(name_to_wire("a..b"), std::nullopt);
}

TEST(DnsName, ParentSkipsEscapedDots) {
  EXPECT_EQ(parent_name("a.b.c"), "b.c");
  EXPECT_EQ(parent_name("a\\.b.c"), "c");
  EXPECT_EQ(parent_name("a\\\\.b"), "b");
  EXPECT_EQ(parent_name("a"), "");
}

TEST(DnsName, TellsHostNames) {
  for (const char* name : {"mail.example.com", "a.b", "1.2.3.4.example", "mx-1.example.com",
                           "mail_1.example.com", "xn--bcher-kva.example", "7.example.x9"})
    EXPECT_TRUE(is_host_name(name)) << name;
  for (const char* name :
       {"", "localhost", "192.0.2.14", "-a.example.com", "a-.example.com", "a b.example.com",
        "a\\032b.example.com", "a\\.b.example", "mail..com", "mail.example.123", "*.example.com",
        "mail.example.com.", "a/b.example", "<script>.example.com"})
    EXPECT_FALSE(is_host_name(name)) << name;
  std::string long_name;
  for (int i = 0; i < 128; ++i) long_name += "a.";
  EXPECT_FALSE(is_host_name(long_name + "bc"));
}

}  // namespace
}  // namespace postern::dns
