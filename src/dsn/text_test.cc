#include "dsn/text.h"

#include <gtest/gtest.h>

#include "dsn/typed_address.h"
#include "smtp/xtext.h"

namespace postern::dsn {
namespace {

TEST(Text, OneLineHoldsOnlyWhatIsShown) {
  EXPECT_EQ(one_line("a\r\nb\tc\x01\xff"), "a b c??");
  EXPECT_EQ(one_line("caf\u00e9"), "caf??");
  EXPECT_EQ(one_line("caf\u00e9", 100, Charset::utf8), "caf\u00e9");
  EXPECT_EQ(one_line("a\u202eb\u200bc\u0085\xed\xa0\x80\xc0\xaf", 100, Charset::utf8),
            "a?b?c??????")
      << "direction, nothing, a control, a surrogate and an overlong form";
  EXPECT_EQ(one_line(std::string(50, 'x'), 10), "xxxxxxxxxx...");
}

TEST(Text, FoldingKeepsEverySpace) {
  const std::string value = "smtp; 550  two   spaces " + std::string(60, 'y') + "  z";
  const std::string field = folded_field("X", value);
  EXPECT_EQ(field, "X: smtp; 550  two   spaces\r\n " + std::string(60, 'y') + "  z\r\n");
}

TEST(Text, ManySpacesDoNotMakeALineTooLong) {
  for (const std::size_t spaces : {400U, 990U, 5000U}) {
    const std::string field =
        folded_field("X", "550" + std::string(spaces, ' ') + std::string(600, 'y'));
    for (std::size_t at = 0; at < field.size();) {
      const auto end = field.find("\r\n", at);
      EXPECT_LE(end - at, line_bytes_max) << spaces;
      EXPECT_NE(field.substr(at, end - at).find_first_not_of(' '), std::string::npos) << spaces;
      at = end + 2;
    }
  }
}

TEST(Text, ALongWordIsBrokenBetweenCharacters) {
  std::string word;
  for (int i = 0; i < 400; ++i) word += "\u20ac";
  for (const std::string& text : {"a" + word, "ab" + word, word}) {
    const std::string lines = wrapped(text, "");
    EXPECT_TRUE(lines.contains("\r\n"));
    for (std::size_t i = 0; i < lines.size(); i += code_point(lines.substr(i)).bytes)
      ASSERT_GT(code_point(lines.substr(i)).bytes, 0U) << i;
  }
}

TEST(Text, EncodedWords) {
  EXPECT_EQ(encoded_words("Undelivered Mail"), "Undelivered Mail");
  EXPECT_EQ(encoded_words("zur\u00fcck = ?"), "=?UTF-8?Q?zur=C3=BCck_=3D_=3F?=");
  std::string umlauts;
  for (int i = 0; i < 40; ++i) umlauts += "\u00fc";
  const std::string words = encoded_words(umlauts);
  for (std::size_t from = 0; from < words.size();) {
    const auto end = std::min(words.find(' ', from), words.size());
    EXPECT_LE(end - from, 75U);
    EXPECT_EQ((end - from - 12) % 6, 0U) << "whole characters only";
    from = end + 1;
  }
}

TEST(Text, StatusOr) {
  EXPECT_EQ(status_or("5.1.1", "45", "5.0.0"), "5.1.1");
  EXPECT_EQ(status_or("4.999.999", "45", "5.0.0"), "4.999.999");
  for (const char* bad : {"", "5", "5.1", "5.1.", "5..1", "5.1.1.1", "6.1.1", "55.1.1", "5.1.1000",
                          "5.a.1", " 5.1.1", "2.1.1"})
    EXPECT_EQ(status_or(bad, "45", "5.0.0"), "5.0.0") << bad;
}

TEST(TypedAddress, EnvelopeAddresses) {
  struct Case {
    const char* why;
    std::string address;
    std::string xtext;
    std::string unitext;
  };
  const Case cases[] = {
      {"ASCII", "a+b=c@example.com", "rfc822; a+b=c@example.com", "rfc822; a+b=c@example.com"},
      {"quoted, with spaces", "\"a  b\"@example.com", "rfc822; \"a  b\"@example.com",
       "rfc822; \"a  b\"@example.com"},
      {"UTF-8", "caf\u00e9@example.com", "utf-8; caf\\x{E9}@example.com",
       "utf-8; caf\u00e9@example.com"},
      {"what carries meaning there", "\\+= \u20ac\U0001f600@x",
       "utf-8; "
       "\\x{5C}\\x{2B}\\x{3D}\\x{20}\\x{20AC}\\x{1F600}@x",
       "utf-8; \\x{5C}\\x{2B}\\x{3D}\\x{20}\u20ac\U0001f600@x"},
      {"not UTF-8", "\xff\r\n@x", "utf-8; ???@x", "utf-8; ???@x"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(typed_address(c.address, AddressForm::xtext), c.xtext) << c.why;
    EXPECT_EQ(typed_address(c.address, AddressForm::unitext), c.unitext) << c.why;
  }
}

// From the parameter of RCPT to the field of the report, as RFC 3461 section 4.2 and RFC 3464
// section 2.3.1 want it: the xtext is undone and nothing else.
TEST(TypedAddress, OriginalRecipients) {
  struct Case {
    const char* why;
    std::string orcpt;  // as RCPT had it
    std::string field;  // empty: none
  };
  const Case cases[] = {
      {"plain", "rfc822;bob@example.com", "rfc822;bob@example.com"},
      {"case stays", "Rfc822;Bob@Example.COM", "Rfc822;Bob@Example.COM"},
      {"plus and equals", "rfc822;bob+2Bx+3Dy@example.com", "rfc822;bob+x=y@example.com"},
      {"spaces in quotes", "rfc822;\"a+20+20b\"@example.com", "rfc822;\"a  b\"@example.com"},
      {"another type", "x400;/C+3Dde/S+3Dx/", "x400;/C=de/S=x/"},
      {"utf-8 stays in its form", "utf-8;caf\\x{E9}\\x{2B}x@example.com",
       "utf-8;caf\\x{E9}\\x{2B}x@example.com"},
      {"utf-8 with a plus in xtext", "utf-8;a+2Bb@example.com", "utf-8;a\\x{2B}b@example.com"},
      {"a line end cannot come in", "rfc822;a+0D+0AX-Evil: 1@x", ""},
      {"no type", ";a@b", ""},
      {"no address", "rfc822;", ""},
  };
  for (const Case& c : cases) {
    const auto semicolon = c.orcpt.find(';');
    const auto address = smtp::decode_xtext(c.orcpt.substr(semicolon + 1));
    const auto field =
        address ? typed_original(c.orcpt.substr(0, semicolon + 1) + *address, AddressForm::xtext)
                : std::nullopt;
    EXPECT_EQ(field.value_or(""), c.field) << c.why;
  }
  EXPECT_EQ(typed_original("rfc822;a\r\nX-Evil: 1", AddressForm::xtext), "rfc822;a X-Evil: 1");
  EXPECT_EQ(typed_original("utf-8;caf\u00e9@x", AddressForm::xtext), "utf-8;caf\\x{E9}@x");
  EXPECT_EQ(typed_original("utf-8;caf\u00e9@x", AddressForm::unitext), "utf-8;caf\u00e9@x");
  EXPECT_FALSE(typed_original("no semicolon", AddressForm::xtext));
}

TEST(TypedAddress, BothFormsReadBackAsTheAddress) {
  for (const std::string address : {"caf\u00e9+tag@b\u00fccher.example", "\\=\u20ac\U0001f600@x"})
    for (const auto form : {AddressForm::xtext, AddressForm::unitext})
      EXPECT_EQ(decode_utf8_address(typed_address(address, form).substr(7)), address);
  for (const char* bad : {"\\x{}", "\\x{5}", "\\x{E9", "\\x{e9}", "\\x{D800}", "\\x{110000}",
                          "\\x{1000000}", "\\y", "a b", "\xff"})
    EXPECT_FALSE(decode_utf8_address(bad)) << bad;
}

}  // namespace
}  // namespace postern::dsn
