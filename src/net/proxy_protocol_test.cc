#include "net/proxy_protocol.h"

#include <gtest/gtest.h>
#include <string>

namespace postern::net {
namespace {

using Kind = ProxyHeader::Kind;
using State = ProxyHeaderReader::State;
using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string v4_block = "\xc0\x00\x02\x07\xc6\x33\x64\x19\x12\x67\x00\x19"s;
const std::string v4_mapped = std::string(10, '\0') + "\xff\xff\xc0\x00\x02\x07"s;

std::string v6_block(const std::string& source) {
  return source + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x19"s + "\x12\x67\x00\x19"s;
}

/// A version 2 header: byte 13, byte 14, and what stands behind the length.
std::string binary(char command, char family, const std::string& rest) {
  return signature + command + family + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size() & 0xff) + rest;
}

std::string tlv(char type, const std::string& value) {
  return std::string(1, type) + static_cast<char>(value.size() >> 8) +
         static_cast<char>(value.size() & 0xff) + value;
}

std::string line_of(std::size_t bytes) {
  std::string line = "PROXY UNKNOWN ";
  return line + std::string(bytes - line.size() - 2, 'x') + "\r\n";
}

/// Reads as the server does: never more than is wanted.
ProxyHeaderReader read_exactly(std::string_view bytes, std::size_t& used) {
  ProxyHeaderReader reader;
  used = 0;
  while (used < bytes.size() && reader.state() == State::reading)
    used += reader.feed(bytes.substr(used, reader.wanted()));
  return reader;
}

struct Good {
  std::string reason;
  std::string bytes;
  Kind kind = Kind::unknown;
  std::string source = "[::]:0";
};

const Good good[] = {
    {"IPv4", "PROXY TCP4 192.0.2.7 198.51.100.25 4711 25\r\n", Kind::client, "192.0.2.7:4711"},
    {"IPv6", "PROXY TCP6 2001:db8::7 2001:db8::25 65535 0\r\n", Kind::client,
     "[2001:db8::7]:65535"},
    {"a mapped address is the IPv4 address", "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 25\r\n",
     Kind::client, "192.0.2.7:1"},
    {"the shortest line", "PROXY UNKNOWN\r\n"},
    {"what follows UNKNOWN is ignored", "PROXY UNKNOWN ffff:f::1 x 1 2 3 4\r\n"},
    {"the longest line", line_of(107)},
    {"binary IPv4", binary('\x21', '\x11', v4_block), Kind::client, "192.0.2.7:4711"},
    {"binary IPv6", binary('\x21', '\x21', v6_block("\x20\x01\x0d\xb8"s + std::string(12, '\7'))),
     Kind::client, "[2001:db8:707:707:707:707:707:707]:4711"},
    {"binary, mapped", binary('\x21', '\x21', v6_block(v4_mapped)), Kind::client, "192.0.2.7:4711"},
    {"TLVs are passed over", binary('\x21', '\x11', v4_block + tlv('\x04', "") + tlv('\x02', "gw")),
     Kind::client, "192.0.2.7:4711"},
    {"a large TLV", binary('\x21', '\x11', v4_block + tlv('\xe0', std::string(65'520, 'x'))),
     Kind::client, "192.0.2.7:4711"},
    {"the checksum is right",
     binary('\x21', '\x11', v4_block + tlv('\x03', "\xcc\x13\x1f\x33"s) + tlv('\x02', "gw")),
     Kind::client, "192.0.2.7:4711"},
    {"LOCAL without addresses", binary('\x20', '\x00', ""), Kind::local},
    {"of LOCAL everything is ignored", binary('\x20', '\x7f', "anything at all"), Kind::local},
    {"UNSPEC", binary('\x21', '\x00', ""), Kind::unknown},
    {"UNSPEC, something behind it", binary('\x21', '\x00', "abc"), Kind::unknown},
    {"Unix-domain sockets", binary('\x21', '\x31', std::string(216, 'u')), Kind::unknown},
    {"datagrams", binary('\x21', '\x12', v4_block), Kind::unknown},
};

TEST(ProxyProtocol, ReadsHeaders) {
  for (const Good& c : good) {
    std::size_t used = 0;
    const auto reader = read_exactly(c.bytes + "EHLO", used);
    ASSERT_EQ(reader.state(), State::complete) << c.reason << ": " << reader.fault();
    EXPECT_EQ(used, c.bytes.size()) << c.reason;
    EXPECT_EQ(reader.header().kind, c.kind) << c.reason;
    EXPECT_EQ(reader.header().source.text(), c.source) << c.reason;
  }
}

TEST(ProxyProtocol, TheDestinationIsKept) {
  ProxyHeaderReader line;
  line.feed("PROXY TCP4 192.0.2.7 198.51.100.25 4711 25\r\n");
  ProxyHeaderReader block;
  block.feed(binary('\x21', '\x11', v4_block));
  EXPECT_EQ(line.header().destination.text(), "198.51.100.25:25");
  EXPECT_EQ(line.header(), block.header());
}

TEST(ProxyProtocol, AnyChunksGiveTheSame) {
  for (const Good& c : good) {
    ProxyHeaderReader whole;
    EXPECT_EQ(whole.feed(c.bytes), c.bytes.size());
    ProxyHeaderReader parts;
    for (std::size_t at = 0; at < c.bytes.size(); ++at) {
      ASSERT_EQ(parts.state(), State::reading) << c.reason << " at " << at;
      ASSERT_EQ(parts.feed(c.bytes.substr(at, 1)), 1U);
    }
    EXPECT_EQ(parts.state(), State::complete) << c.reason;
    EXPECT_EQ(parts.header(), whole.header()) << c.reason;
  }
}

TEST(ProxyProtocol, RefusesWhatIsWrong) {
  struct Case {
    std::string reason;
    std::string bytes;
    std::string fault;
  };
  const Case cases[] = {
      {"another protocol", "EHLO a\r\n", "does not begin"},
      {"lower case", "proxy TCP4", "does not begin"},
      {"a broken signature", "\r\n\r\nx", "does not begin"},
      {"a line without end", "PROXY UNKNOWN " + std::string(100, 'x'), "longer than 107"},
      {"one byte too long", line_of(108), "longer than 107"},
      {"a lone LF ends no line", "PROXY UNKNOWN\n" + std::string(100, 'x'), "longer than 107"},
      {"no such protocol", "PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n", "protocol"},
      {"a word that only begins so", "PROXY UNKNOWNS\r\n", "five words"},
      {"too few words", "PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n", "five words"},
      {"too many words", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", "five words"},
      {"two blanks", "PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n", "five words"},
      {"IPv6 as TCP4", "PROXY TCP4 2001:db8::7 192.0.2.8 1 2\r\n", "address"},
      {"IPv4 as TCP6", "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n", "address"},
      {"no address", "PROXY TCP4 192.0.2.300 192.0.2.8 1 2\r\n", "address"},
      {"a port too large", "PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n", "port"},
      {"a zero in front", "PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n", "port"},
      {"a negative port", "PROXY TCP4 192.0.2.7 192.0.2.8 -1 2\r\n", "port"},
      {"an empty port", "PROXY TCP4 192.0.2.7 192.0.2.8 1 \r\n", "port"},
      {"version 1 in binary", binary('\x11', '\x11', v4_block), "version"},
      {"no such command", binary('\x22', '\x11', v4_block), "command"},
      {"no such family", binary('\x21', '\x41', v4_block), "family"},
      {"no such transport", binary('\x21', '\x13', v4_block), "family"},
      {"too short for IPv4", binary('\x21', '\x11', v4_block.substr(1)), "too short"},
      {"too short for IPv6", binary('\x21', '\x21', v4_block), "too short"},
      {"too short for a path", binary('\x21', '\x31', std::string(215, 'u')), "too short"},
      {"half a TLV", binary('\x21', '\x11', v4_block + "\x04\x00"s), "cut off"},
      {"a TLV beyond the end", binary('\x21', '\x11', v4_block + "\x04\x00\x02x"s), "longer"},
      {"a wrong checksum", binary('\x21', '\x11', v4_block + tlv('\x03', "\1\2\3\4")),
       "checksum is wrong"},
      {"a short checksum", binary('\x21', '\x11', v4_block + tlv('\x03', "\1")), "checksum"},
      {"two checksums",
       binary('\x21', '\x11', v4_block + tlv('\x03', "\1\2\3\4") + tlv('\x03', "\1\2\3\4")),
       "more than one"},
  };
  for (const Case& c : cases) {
    std::size_t used = 0;
    const auto reader = read_exactly(c.bytes, used);
    EXPECT_EQ(reader.state(), State::malformed) << c.reason;
    EXPECT_NE(reader.fault().find(c.fault), std::string_view::npos)
        << c.reason << ": " << reader.fault();
  }
}

TEST(ProxyProtocol, WaitsForTheRest) {
  for (const Good& c : good) {
    ProxyHeaderReader reader;
    reader.feed(c.bytes.substr(0, c.bytes.size() - 1));
    EXPECT_EQ(reader.state(), State::reading) << c.reason;
    EXPECT_EQ(reader.wanted(), 1U) << c.reason;
  }
}

}  // namespace
}  // namespace postern::net
