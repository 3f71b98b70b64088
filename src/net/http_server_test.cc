#include "net/http_server.h"

#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/sim/sim_world.h"

namespace postern::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

const Endpoint at = *Endpoint::parse("198.51.100.25:9125");

class PathPages final : public HttpPages {
 public:
  HttpReply page(const HttpRequest& request) override { return {.body = "at " + request.path}; }
};

class HttpServerTest : public testing::Test {
 protected:
  void serve(HttpOptions options, io::Task<> client) {
    server_.emplace(gateway_.world(), log_, pages_, options);
    auto listener = gateway_.world().network.listen(at);
    ASSERT_TRUE(listener);
    server_->start(*std::move(listener));
    ASSERT_TRUE(sim_.run_task(clients_, std::move(client)));
    ASSERT_TRUE(sim_.run_task(gateway_, server_->stop()));
    server_.reset();
  }
  io::Deadline soon() { return clients_.world().clock.in(1h); }
  io::Task<std::unique_ptr<io::Stream>> connect() {
    auto stream = co_await clients_.world().network.connect(at, soon());
    EXPECT_TRUE(stream);
    co_return stream ? *std::move(stream) : nullptr;
  }
  /// Sends, and reads until the other side ends or `until` has come.
  io::Task<std::string> ask(io::Stream& stream, std::string bytes, std::string until) {
    (void)co_await stream.write_all(bytes, soon());
    std::string got;
    std::array<char, 500> block;
    while (!got.contains(until)) {
      const auto count = co_await stream.read_some(block, soon());
      if (!count || *count == 0) break;
      got.append(block.data(), *count);
    }
    co_return got;
  }

  io::SimWorld sim_{3};
  io::SimHost& gateway_ = sim_.add_host("gateway", at.address);
  io::SimHost& clients_ = sim_.add_host("clients", *IpAddress::parse("192.0.2.7"));
  NoLog log_;
  PathPages pages_;
  std::optional<HttpServer> server_;

 public:
  io::Task<> two_on_one_connection() {
    const auto stream = co_await connect();
    for (const char* path : {"/a", "/b"}) {
      const std::string got = co_await ask(
          *stream, std::string("GET ") + path + " HTTP/1.1\r\nHost: gw\r\n\r\n", "at /");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK"));
      EXPECT_THAT(got, EndsWith(path));
      co_await clients_.world().clock.sleep_for(2min);
    }
  }
  io::Task<> trickle() {
    const auto stream = co_await connect();
    const SteadyTime begun = clients_.world().clock.now();
    for (const char* piece : {"GET /a HT", "TP/1.1\r\n", "Host: gw\r\n", "X: y\r\n"}) {
      (void)co_await stream->write_all(piece, soon());
      co_await clients_.world().clock.sleep_for(4s);
    }
    EXPECT_EQ(co_await ask(*stream, "", "at"), "") << "the request's own deadline has passed";
    EXPECT_LE(clients_.world().clock.now() - begun, 17s);
  }
  io::Task<> idle() {
    const auto stream = co_await connect();
    EXPECT_THAT(co_await ask(*stream, "GET /a HTTP/1.1\r\nHost: gw\r\n\r\n", "at /"),
                EndsWith("at /a"));
    const SteadyTime begun = clients_.world().clock.now();
    EXPECT_EQ(co_await ask(*stream, "", "at"), "");
    EXPECT_EQ(clients_.world().clock.now() - begun > 149s, true);
    EXPECT_EQ(clients_.world().clock.now() - begun < 152s, true);
  }
  io::Task<> crowd() {
    std::vector<std::unique_ptr<io::Stream>> held;
    for (int i = 0; i < 2; ++i) held.push_back(co_await connect());
    const auto third = co_await connect();
    EXPECT_EQ(co_await ask(*third, "GET /a HTTP/1.1\r\nHost: gw\r\n\r\n", "at /"), "");
    EXPECT_THAT(co_await ask(*held[1], "GET /a HTTP/1.1\r\nHost: gw\r\n\r\n", "at /"),
                EndsWith("at /a"));
  }
  io::Task<> not_http() {
    const auto stream = co_await connect();
    EXPECT_THAT(co_await ask(*stream, "EHLO a\r\n\r\n", "never"), StartsWith("HTTP/1.1 400"));
  }
};

TEST_F(HttpServerTest, KeepsAConnectionBetweenScrapes) {
  serve({}, two_on_one_connection());
}
TEST_F(HttpServerTest, ARequestThatTricklesInHasOneDeadline) {
  serve({}, trickle());
}
TEST_F(HttpServerTest, AnIdleConnectionEnds) {
  serve({}, idle());
}
TEST_F(HttpServerTest, MoreConnectionsThanItsBoundAreClosedAndTheOthersServed) {
  serve({.connections_max = 2}, crowd());
}
TEST_F(HttpServerTest, WhoSpeaksSomethingElseIsToldAndEnded) {
  serve({}, not_http());
}

}  // namespace
}  // namespace postern::net
