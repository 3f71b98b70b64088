#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/dot_stream.h"
#include "smtp/enhanced_status.h"
#include "smtp/reply.h"
#include "smtp/xtext.h"

namespace postern::smtp {
namespace {

TEST(EnhancedStatus, ReadsWhatItWrites) {
  for (const std::string_view text : {"2.0.0", "4.7.25", "5.999.999"})
    EXPECT_EQ(EnhancedStatus::parse(text)->text(), text);
}

TEST(EnhancedStatus, RefusesWhatIsNone) {
  for (const std::string_view text : {"", "2", "2.0", "2.0.", "2..0", "3.0.0", "2.00.0", "2.0.01",
                                      "2.1000.0", "2.0.0.0", "a.b.c"})
    EXPECT_FALSE(EnhancedStatus::parse(text)) << text;
}

TEST(EnhancedStatus, IsTakenOffTheFront) {
  std::string_view text = "4.7.25  Client";
  EXPECT_EQ(EnhancedStatus::take(text), (EnhancedStatus{4, 7, 25}));
  EXPECT_EQ(text, "Client");
  text = "4.7.25x";
  EXPECT_FALSE(EnhancedStatus::take(text));
  EXPECT_EQ(text, "4.7.25x");
}

TEST(Reply, IsFormattedWithItsStatusOnEveryLine) {
  Reply reply(550, {5, 1, 1}, "No such user");
  reply.lines.emplace_back("ask the postmaster");
  EXPECT_EQ(reply.format(), "550-5.1.1 No such user\r\n550 5.1.1 ask the postmaster\r\n");
  EXPECT_EQ(reply.text(), "550 5.1.1 No such user; ask the postmaster");
}

TEST(Reply, CannotBeForgedByItsText) {
  EXPECT_EQ(Reply(550, "a\r\n250 ok\xc3\xa4").format(), "550 a??250 ok??\r\n");
  EXPECT_EQ(Reply(250, std::string(2000, 'x')).format().size(), 512U);
}

TEST(Reply, IsReadFromOneLine) {
  EXPECT_EQ(Reply::parse_line("450 4.7.25 Client host"), Reply(450, {4, 7, 25}, "Client host"));
  // A status of another class than the code's is text.
  EXPECT_EQ(Reply::parse_line("550 4.7.25 x"), Reply(550, "4.7.25 x"));
  EXPECT_FALSE(Reply::parse_line("oops"));
}

TEST(ReplyReader, ReadsRepliesInAnyChunks) {
  const std::string input =
      "220 mx.example.com\r\n250-mx\r\n250-SIZE 100\n250 DSN\r\n550-5.1.1 a\r\n550 5.1.1 "
      "b\r\n354\r\n";
  for (std::size_t chunk = 1; chunk <= input.size(); ++chunk) {
    ReplyReader reader;
    std::string seen;
    for (std::size_t at = 0; at < input.size();) {
      at += reader.feed(std::string_view(input).substr(at, chunk));
      if (reader.state() == ReplyReader::State::complete) seen += reader.take().text() + "|";
    }
    EXPECT_EQ(seen, "220 mx.example.com|250 mx; SIZE 100; DSN|550 5.1.1 a; b|354|");
    EXPECT_FALSE(reader.in_middle());
  }
}

TEST(ReplyReader, RefusesWhatIsNoReply) {
  const std::string too_long = "250 " + std::string(reply_line_bytes_max, 'x') + "\r\n";
  std::string too_many;
  for (std::size_t i = 0; i <= reply_lines_max; ++i) too_many += "250-x\r\n";
  for (const std::string& input :
       {std::string("hello\r\n"), std::string("25\r\n"), std::string("250-a\r\n550 b\r\n"),
        std::string("650 x\r\n"), std::string("250_x\r\n"), std::string("\r\n"), too_long,
        too_many}) {
    ReplyReader reader;
    reader.feed(input);
    EXPECT_EQ(reader.state(), ReplyReader::State::malformed) << input.substr(0, 40);
  }
}

TEST(Xtext, ReadsWhatItWrites) {
  const std::string text("a b+c=d\r\n\0\xff", 11);
  EXPECT_EQ(encode_xtext("a b+c=d"), "a+20b+2Bc+3Dd");
  EXPECT_EQ(decode_xtext(encode_xtext(text)), text);
}

TEST(Xtext, RefusesWhatIsNone) {
  for (const std::string_view text : {"+", "+2", "+2b", "+G0", "a b", "a=b", "\x7f"})
    EXPECT_FALSE(decode_xtext(text)) << text;
}

struct DotCase {
  std::string_view reason;
  std::string input;
  BareNewline bare;
  DotReader::Fault fault;
  std::string content;  // for no fault
  std::size_t used;     // 0: the data did not end
};

TEST(DotReader, EndsOnlyAtTheTrueEndInAnyChunks) {
  using enum DotReader::Fault;
  constexpr auto refuse = BareNewline::refuse;
  constexpr auto normal = BareNewline::normalize;
  const std::vector<DotCase> cases{
      {"empty message", ".\r\n", refuse, none, "", 3},
      {"one line", "a\r\n.\r\nrest", refuse, none, "a\r\n", 6},
      {"stuffed dot", "..\r\n.\r\n", refuse, none, ".\r\n", 7},
      {"a dot that should have been stuffed", ".a\r\n.\r\n", refuse, none, "a\r\n", 7},
      {"dots inside a line", "a.b.\r\n.\r\n", refuse, none, "a.b.\r\n", 9},
      {"no end yet", "a\r\n.", refuse, none, "a\r\n", 0},
      {"no end yet either", "a\r\n.\r", refuse, none, "a\r\n", 0},
      {"bare LF refused", "a\n.\n\r\n.\r\n", refuse, bare_lf, "", 9},
      {"bare LF", "a\n.\nb\r\n.\r\n", normal, none, "a\r\n.\r\nb\r\n", 10},
      {"LF . CRLF ends nothing", "a\n.\r\nb\r\n.\r\n", normal, none, "a\r\n.\r\nb\r\n", 11},
      {"CRLF . LF ends nothing", "a\r\n.\nb\r\n.\r\n", normal, none, "a\r\n\r\nb\r\n", 11},
      {"CRLF . CR ends nothing", "a\r\n.\rb\r\n.\r\n", normal, none, "a\r\n\r\nb\r\n", 11},
      {"CRLF . CR CRLF ends nothing", "a\r\n.\r\r\n.\r\n", normal, none, "a\r\n\r\n\r\n", 10},
      {"bare CR refused", "a\rb\r\n.\r\n", refuse, bare_cr, "", 8},
      {"bare CR", "a\rb\r\n.\r\n", normal, none, "a\r\nb\r\n", 8},
      {"CR CRLF . CRLF", "a\r\r\n.\r\n", normal, none, "a\r\n\r\n", 7},
      {"NUL", std::string("a\0\r\n.\r\n", 7), normal, nul, "", 7},
      {"a line of the greatest length", "12345678\r\n.\r\n", normal, none, "12345678\r\n", 13},
      {"one byte more", "123456789\r\n.\r\n", normal, line_too_long, "", 14},
  };
  for (const DotCase& c : cases) {
    for (std::size_t chunk = 1; chunk <= c.input.size(); ++chunk) {
      DotReader reader({c.bare, 10});
      std::string content;
      std::size_t used = 0;
      while (used < c.input.size() && !reader.ended())
        used += reader.feed(std::string_view(c.input).substr(used, chunk), content);
      EXPECT_EQ(reader.fault(), c.fault) << c.reason;
      if (c.fault == none) EXPECT_EQ(content, c.content) << c.reason << " in " << chunk;
      EXPECT_EQ(reader.ended() ? used : 0, c.used) << c.reason;
    }
  }
}

TEST(DotWriter, StuffsInAnyChunks) {
  const std::string content = ".\r\na\r\n..b\r\nc.\r\n.d";
  for (std::size_t chunk = 1; chunk <= content.size(); ++chunk) {
    DotWriter writer;
    std::string out;
    for (std::size_t at = 0; at < content.size(); at += chunk)
      writer.write(std::string_view(content).substr(at, chunk), out);
    writer.finish(out);
    EXPECT_EQ(out, "..\r\na\r\n...b\r\nc.\r\n..d\r\n.\r\n");
    DotReader reader;
    std::string back;
    EXPECT_EQ(reader.feed(out, back), out.size());
    EXPECT_EQ(back, content + "\r\n");
  }
}

TEST(DotWriter, EndsAnEmptyMessage) {
  DotWriter writer;
  std::string out;
  writer.finish(out);
  EXPECT_EQ(out, ".\r\n");
}

}  // namespace
}  // namespace postern::smtp
