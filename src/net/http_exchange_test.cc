#include "net/http_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Wants = HttpExchange::Wants;

const WallTime now{std::chrono::milliseconds(1795490753123)};

constexpr const char* get = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n";

/// Answers everything with the path asked for; in pieces of `step` bytes.
std::string talk(HttpExchange& exchange, std::string_view input, std::size_t step = 4096) {
  std::string output;
  while (!input.empty()) {
    exchange.feed(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
    while (exchange.wants() == Wants::reply)
      exchange.reply({.body = "path " + exchange.request().path}, now);
    output += exchange.take_output();
  }
  return output;
}

TEST(HttpExchange, AnswersInOrderWhateverPiecesTheRequestsComeIn) {
  const std::string two = std::string(get) + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::size_t step : {1UZ, 2UZ, 7UZ, 4096UZ}) {
    HttpExchange exchange;
    const std::string output = talk(exchange, two, step);
    EXPECT_THAT(output, StartsWith("HTTP/1.1 200 OK\r\n")) << step;
    EXPECT_THAT(output, HasSubstr("Date: Tue, 24 Nov 2026 03:25:53 GMT\r\n"));
    EXPECT_THAT(output, HasSubstr("Content-Length: 13\r\n"));
    EXPECT_LT(output.find("path /metrics"), output.find("path /healthz"));
    EXPECT_EQ(exchange.wants(), Wants::bytes) << "the connection is kept";
    EXPECT_FALSE(exchange.in_middle());
  }
}

TEST(HttpExchange, TellsWhatIsAccepted) {
  HttpExchange exchange;
  exchange.feed(get);
  ASSERT_EQ(exchange.wants(), Wants::reply);
  EXPECT_EQ(exchange.request().path, "/metrics");
  EXPECT_EQ(exchange.request().accept, "text/plain");
}

TEST(HttpExchange, HeadIsAnsweredAsGetWithoutTheContent) {
  HttpExchange exchange;
  const std::string output = talk(exchange, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(output, HasSubstr("Content-Length: 13\r\n"));
  EXPECT_THAT(output, Not(HasSubstr("path")));
  EXPECT_THAT(talk(exchange, get), HasSubstr("path /metrics")) << "the next reply is whole again";
}

TEST(HttpExchange, EndsWhenTheClientWantsItOrTheLimitIsReached) {
  HttpExchange asked;
  talk(asked, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(asked.wants(), Wants::end);
  HttpExchange old;
  talk(old, "GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.wants(), Wants::end);
  HttpExchange many({.requests_max = 2});
  talk(many, std::string(get));
  EXPECT_EQ(many.wants(), Wants::bytes);
  EXPECT_THAT(talk(many, std::string(get) + get), HasSubstr("Connection: close"));
  EXPECT_EQ(many.wants(), Wants::end);
}

struct Refused {
  const char* reason;
  std::string input;
  const char* status;
};

const std::vector<Refused> refused_cases = {
    {"another method", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
    {"a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "413"},
    {"a chunked body", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
     "413"},
    {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
    {"SMTP", "EHLO client.example\r\n\r\n", "400"},
    {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n", "400"},
    {"a long field", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x') + "\r\n\r\n",
     "431"},
    {"a long target", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n", "431"},
    {"a long line without an end", std::string(9000, 'x'), "431"},
    {"the beginning of TLS", std::string("\x16\x03\x01\x02\x00\x01", 6), "400"},
    {"much TLS", "\x16" + std::string(9000, 'x') + "\r\n\r\n", "400"},
    {"lines ended by LF", "GET / HTTP/1.1\nHost: a\n\n", "400"},
};

TEST(HttpExchange, WhatIsNoRequestForAPageIsRefusedAndEndsTheConnection) {
  for (const Refused& refused : refused_cases)
    for (const std::size_t step : {1000UZ, 1UZ}) {
      HttpExchange exchange;
      const std::string output = talk(exchange, refused.input, step);
      EXPECT_THAT(output, StartsWith(std::string("HTTP/1.1 ") + refused.status))
          << refused.reason << " by " << step;
      EXPECT_THAT(output, HasSubstr("Connection: close"));
      EXPECT_THAT(output, Not(HasSubstr("path"))) << refused.reason;
      EXPECT_EQ(exchange.wants(), Wants::end) << refused.reason;
    }
}

TEST(HttpExchange, ARefusalBehindHeadHasItsText) {
  HttpExchange exchange;
  talk(exchange, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(talk(exchange, "?\r\n\r\n"), HasSubstr("this is not HTTP"));
}

TEST(HttpExchange, HalfARequestIsAwaitedWhateverIsWrongWithIt) {
  const std::string half = "GHEA[\x01/metrics HTTP/1.1\rt\nHost: a\r\n";
  for (const std::size_t step : {1UZ, 7UZ, 100UZ}) {
    HttpExchange exchange;
    EXPECT_EQ(talk(exchange, half, step), "") << step;
    EXPECT_TRUE(exchange.in_middle());
    EXPECT_THAT(talk(exchange, "\r\n", step), StartsWith("HTTP/1.1 400 ")) << step;
  }
}

}  // namespace
}  // namespace postern::net
