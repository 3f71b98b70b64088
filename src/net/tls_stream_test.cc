#include "net/tls_stream.h"

#include <fstream>
#include <gtest/gtest.h>

#include "io/task_group.h"
#include "io/testing/bed.h"

namespace postern::net {
namespace {

using std::chrono::milliseconds;

PemPair certificate() {
  return *make_self_signed("mx.example.org", WallTime(seconds(1'790'000'000)));
}

class Tls : public ::testing::TestWithParam<std::string> {
 protected:
  Tls() {
    if (GetParam() == "real") {
      bed_ = std::make_unique<io::RealBed>();
    } else {
      bed_ = std::make_unique<io::SimBed>();
    }
  }
  void run(io::Task<> task) { EXPECT_TRUE(bed_->run(std::move(task))); }
  std::unique_ptr<io::Bed> bed_;
};

/// Two ends over loopback: plain first, TLS where a case wants it.
struct Talk {
  explicit Talk(const io::World& of) : world(of) {}

  io::World world;
  io::TaskGroup tasks{world.executor, world.clock, 20};
  TlsContext server_context = *TlsContext::server(certificate());
  TlsContext client_context = *TlsContext::client();
  std::unique_ptr<io::Stream> plain_client;
  std::unique_ptr<io::Stream> plain_server;
  std::unique_ptr<TlsStream> client;
  std::unique_ptr<TlsStream> server;
  bool served = false;

  io::Deadline soon() { return world.clock.in(seconds(20)); }

  io::Task<> accept(io::Listener* listener) { plain_server = *co_await listener->accept(); }
  io::Task<> connect() {
    auto listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    EXPECT_TRUE(tasks.spawn("accept", accept(listener.get())));
    plain_client = *co_await world.network.connect(listener->local(), soon());
    while (!plain_server) co_await world.clock.sleep_for(milliseconds(1));
  }
  io::Task<> serve_handshake() {
    server = std::make_unique<TlsStream>(std::move(plain_server), server_context);
    const auto done = co_await server->handshake(soon());
    EXPECT_TRUE(done) << done.error().what;
    served = true;
  }
  io::Task<> secure() {
    co_await connect();
    EXPECT_TRUE(tasks.spawn("server", serve_handshake()));
    client = std::make_unique<TlsStream>(std::move(plain_client), client_context, "mx.example.org");
    const auto done = co_await client->handshake(soon());
    EXPECT_TRUE(done) << done.error().what;
    while (!served) co_await world.clock.sleep_for(milliseconds(1));
  }

  io::Task<> both_ways() {
    co_await secure();
    EXPECT_EQ(client->version(), "TLSv1.3");
    EXPECT_EQ(client->cipher(), server->cipher());
    EXPECT_EQ(server->server_name(), "mx.example.org");
    char buffer[64];
    EXPECT_TRUE(co_await client->write_all("EHLO there\r\n", soon()));
    EXPECT_TRUE(co_await server->readable(soon()));
    EXPECT_EQ(*co_await server->read_some(std::span(buffer, 4), soon()), 4U);
    EXPECT_TRUE(co_await server->readable(io::Deadline::at(SteadyTime{}))) << "decrypted already";
    const auto rest = co_await server->read_some(buffer, soon());
    EXPECT_EQ(std::string_view(buffer, *rest), " there\r\n");
    EXPECT_EQ((co_await server->readable(world.clock.in(milliseconds(10)))).error().cause,
              Cause::timed_out);
    EXPECT_TRUE(co_await server->write_all("250 ok\r\n", soon()));
    EXPECT_EQ(*co_await client->read_some(buffer, soon()), 8U);
    client->shutdown_write();
    EXPECT_EQ(*co_await server->read_some(buffer, soon()), 0U) << "an end with close_notify";
    EXPECT_TRUE(co_await server->write_all("221 bye\r\n", soon())) << "half open";
    EXPECT_EQ(*co_await client->read_some(buffer, soon()), 9U);
    client->close();
    EXPECT_EQ((co_await client->read_some(buffer, soon())).error().cause, Cause::cancelled);
    co_await tasks.join();
  }

  io::Task<> send_much(TlsStream* stream, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
    EXPECT_TRUE(co_await stream->write_all(bytes, soon()));
    stream->shutdown_write();
  }
  io::Task<> read_much(TlsStream* stream, std::size_t size) {
    std::vector<char> buffer(5'000);
    std::size_t total = 0;
    while (true) {
      const auto count = co_await stream->read_some(buffer, soon());
      if (!count) co_return ADD_FAILURE() << count.error().what;
      if (*count == 0) break;
      for (std::size_t i = 0; i < *count; ++i) {
        if (buffer[i] != static_cast<char>((total + i) % 251)) co_return ADD_FAILURE() << total;
      }
      total += *count;
    }
    EXPECT_EQ(total, size);
  }
  /// Both directions at once.
  io::Task<> much() {
    co_await secure();
    constexpr std::size_t size = 1'500'000;
    (void)tasks.spawn("send", send_much(client.get(), size));
    (void)tasks.spawn("send", send_much(server.get(), size));
    (void)tasks.spawn("read", read_much(server.get(), size));
    (void)tasks.spawn("read", read_much(client.get(), size));
    co_await tasks.join();
  }

  io::Task<> cut_off() {
    co_await secure();
    client->close();
    char buffer[8];
    const auto got = co_await server->read_some(buffer, soon());
    EXPECT_FALSE(got) << "an end without close_notify is not an end of stream";
    EXPECT_EQ(got.error().cause, Cause::closed);
    co_await tasks.join();
  }
  io::Task<> not_tls() {
    co_await connect();
    EXPECT_TRUE(co_await plain_client->write_all("EHLO plain.example\r\n", soon()));
    TlsStream stream(std::move(plain_server), server_context);
    const auto done = co_await stream.handshake(soon());
    EXPECT_EQ(done.error().blame, Blame::peer);
    char buffer[64];
    EXPECT_FALSE(co_await stream.read_some(buffer, soon())) << "nothing of it is read as protected";
    EXPECT_FALSE(co_await stream.write_all("x", soon()));
    co_await tasks.join();
  }
  io::Task<> silent() {
    co_await connect();
    TlsStream stream(std::move(plain_server), server_context);
    const auto done = co_await stream.handshake(world.clock.in(milliseconds(20)));
    EXPECT_EQ(done.error().cause, Cause::timed_out);
    co_await tasks.join();
  }
};

#define BOTH(name, member)    \
  TEST_P(Tls, name) {         \
    Talk talk(bed_->world()); \
    run(talk.member());       \
  }
BOTH(BothWays, both_ways)
BOTH(MuchBothWaysAtOnce, much)
BOTH(CutOff, cut_off)
BOTH(NotTls, not_tls)
BOTH(SilentPeer, silent)
#undef BOTH

INSTANTIATE_TEST_SUITE_P(Worlds, Tls, ::testing::Values("real", "sim"),
                         [](const auto& info) { return info.param; });

TEST(TlsContext, LoadsReloadsAndRefusesFiles) {
  const std::string base = ::testing::TempDir() + "postern-net-test-";
  const TlsContext::Files files{base + "cert.pem", base + "key.pem"};
  EXPECT_EQ(
      TlsContext::server(TlsContext::Files{base + "none.pem", base + "none.pem"}).error().cause,
      Cause::not_found);
  const PemPair pair = certificate();
  std::ofstream(files.certificate) << pair.certificate;
  std::ofstream(files.key) << pair.key;
  auto context = TlsContext::server(files);
  ASSERT_TRUE(context) << context.error().what;
  SSL_CTX* const before = context->get();
  EXPECT_TRUE(context->reload(files));
  EXPECT_NE(context->get(), before);
  SSL_CTX* const good = context->get();
  std::ofstream(files.key) << certificate().key;
  const auto mismatch = context->reload(files);
  ASSERT_FALSE(mismatch);
  EXPECT_NE(mismatch.error().what.find(files.key), std::string::npos) << mismatch.error().what;
  EXPECT_EQ(context->get(), good) << "the old one stays";
  std::ofstream(files.certificate) << "not a certificate";
  EXPECT_EQ(context->reload(files).error().cause, Cause::damaged);
  std::remove(files.certificate.c_str());
  std::remove(files.key.c_str());
}

}  // namespace
}  // namespace postern::net
