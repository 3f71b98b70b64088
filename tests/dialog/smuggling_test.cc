#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

#include <boost/json.hpp>

#include "smtp/server_script.h"
#include "support/source_path.h"

namespace postern::smtp {
namespace {

struct EndOfData {
  std::string id;
  std::string bytes;
  bool either = false;  ///< ending the data here is right too
};

/// Our own table, so that the cases always run.
std::vector<EndOfData> own_cases() {
  std::vector<EndOfData> cases;
  const std::vector<std::string> ends{"\n",
                                      "\r",
                                      "\r\r\n",
                                      "\n\n",
                                      "\r\n ",
                                      "\x0b",
                                      "\xc2\x85",
                                      std::string("\r\n\0", 3),
                                      std::string("\0", 1)};
  for (const std::string& before : ends)
    for (const std::string& after : ends) cases.push_back({"own", before + "." + after, false});
  for (const std::string& after : ends) cases.push_back({"own", "\r\n." + after, false});
  for (const std::string& before : {std::string("\n"), std::string("\r"), std::string("\n\n")})
    cases.push_back({"own", before + ".\r\n", false});
  // Each with a true end in it, behind something that is refused or harmless.
  for (EndOfData& c : cases) c.either = ("\r\n" + c.bytes).contains("\r\n.\r\n");
  return cases;
}

std::string corpus_text() {
  const char* folder = std::getenv("POSTERN_CORPORA");
  const std::string path =
      (folder != nullptr ? std::string(folder) : source_path("../shared/corpora")) +
      "/own-smtp-smuggling/payloads.json";
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The corpus writes bytes as the code points U+0000 to U+00FF.
std::string bytes_of(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0xc2 && c <= 0xc3 && i + 1 < utf8.size())
      out += static_cast<char>((c & 3U) << 6U | (static_cast<unsigned char>(utf8[++i]) & 63U));
    else
      out += utf8[i];
  }
  return out;
}

std::vector<EndOfData> all_cases() {
  std::vector<EndOfData> cases = own_cases();
  const std::string text = corpus_text();
  if (text.empty()) return cases;
  const boost::json::value corpus = boost::json::parse(text);
  for (const auto& entry : corpus.at("eod").as_array()) {
    const auto* either = entry.as_object().if_contains("either");
    cases.push_back({std::string(entry.at("id").as_string()),
                     bytes_of(std::string_view(entry.at("eod").as_string())),
                     either != nullptr && either->as_bool()});
  }
  return cases;
}

bool has_bare_newline(const std::string& content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] == '\r' && (i + 1 == content.size() || content[i + 1] != '\n')) return true;
    if (content[i] == '\n' && (i == 0 || content[i - 1] != '\r')) return true;
  }
  return false;
}

TEST(Smuggling, NoLookAlikeEndsTheData) {
  for (const EndOfData& c : all_cases()) {
    for (const BareNewline bare : {BareNewline::refuse, BareNewline::normalize}) {
      for (const std::size_t chunk : {0, 1, 3}) {
        ServerOptions options;
        options.bare_newline = bare;
        ServerScript script(options);
        script.feed(
            "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
        script.sent.clear();
        script.feed("first" + c.bytes +
                        "MAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
                        "second\r\n.\r\n",
                    chunk);
        if (!c.either) {
          EXPECT_EQ(std::ranges::count(script.sent, '\n'), 1) << c.id << ": " << script.sent;
          EXPECT_LE(script.messages.size(), 1U) << c.id;
          EXPECT_TRUE(script.sent.starts_with("250") || script.sent.starts_with("5")) << c.id;
        }
        for (const std::string& message : script.messages)
          EXPECT_FALSE(has_bare_newline(message)) << c.id;
      }
    }
  }
}

TEST(Smuggling, LinesOfOneDotAreStuffedWhenSentOn) {
  ServerOptions options;
  options.bare_newline = BareNewline::normalize;
  ServerScript script(options);
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
  script.feed("a\n.\nb\r\n.\r\n");
  ASSERT_EQ(script.messages.size(), 1U);
  DotWriter writer;
  std::string sent;
  writer.write(script.messages[0], sent);
  writer.finish(sent);
  EXPECT_EQ(sent, "a\r\n..\r\nb\r\n.\r\n");
}

struct CommandCase {
  std::string id;
  std::string send;
  std::string codes;
};

TEST(Smuggling, CommandsAreNotSmuggledEither) {
  const std::string ready =
      "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
  const std::vector<CommandCase> cases{
      {"bare-lf-command", "NOOP\nMAIL FROM:<a@example.org>\n", "500 500"},
      {"nul-in-address", std::string("MAIL FROM:<a\0b@example.org>\r\n", 29), "501"},
      {"cr-in-address", "MAIL FROM:<a\rRCPT TO:<x@example.org>\r\n", "501"},
      {"xclient-unasked", "XCLIENT ADDR=192.0.2.1 NAME=trusted.example.com\r\n", "550"},
      // BDAT is not offered (no CHUNKING), so a client that follows EHLO never sends it. Where the
      // corpus expects 250 for the chunk and 503 for DATA, here the command is refused with 502 and
      // its three bytes stand before DATA: "abcDATA" is unknown, and no data begins.
      {"bdat-then-data", ready + "BDAT 3\r\nabcDATA\r\n", "250 250 250 502 500"},
  };
  for (const CommandCase& c : cases) {
    for (const std::size_t chunk : {0, 1, 3}) {
      ServerScript script;
      script.sent.clear();
      if (!c.send.starts_with("EHLO")) script.feed("EHLO c.example\r\n");
      script.sent.clear();
      script.feed(c.send, chunk);
      EXPECT_EQ(script.first_digits(), c.codes) << c.id;
      EXPECT_TRUE(script.messages.empty());
    }
  }
}

TEST(Smuggling, NothingBehindStarttlsIsAnsweredInsideTls) {
  ServerScript script({}, ServerMachine::TlsOffer::starttls);
  script.feed("EHLO c.example\r\n");
  script.sent.clear();
  script.feed("STARTTLS\r\nMAIL FROM:<smuggled@example.org>\r\n");
  EXPECT_TRUE(script.sent.starts_with("554 ")) << script.sent;
  EXPECT_EQ(script.handshakes, 0U);
  EXPECT_TRUE(script.closed);
}

/// The corpus is elsewhere; when it is there, all of its commands must be known to this file.
TEST(Smuggling, CorpusHoldsNoCommandThatIsNotTestedHere) {
  const std::string text = corpus_text();
  if (text.empty()) return;
  for (const auto& entry : boost::json::parse(text).at("commands").as_array())
    EXPECT_THAT((std::vector<std::string>{"starttls-injection", "bare-lf-command", "nul-in-address",
                                          "cr-in-address", "xclient-unasked", "bdat-then-data"}),
                testing::Contains(std::string(entry.at("id").as_string())));
}

}  // namespace
}  // namespace postern::smtp
