// What holds for connections in both worlds.
#include <gtest/gtest.h>

#include "io/real/real_stream.h"
#include "io/task_group.h"
#include "io/testing/bed.h"

namespace postern::io {
namespace {

using std::chrono::milliseconds;

class Networks : public ::testing::TestWithParam<std::string> {
 protected:
  Networks() {
    if (GetParam() == "real") {
      bed_ = std::make_unique<RealBed>();
    } else {
      bed_ = std::make_unique<SimBed>();
    }
  }
  void run(Task<> task) { EXPECT_TRUE(bed_->run(std::move(task))); }
  std::unique_ptr<Bed> bed_;
};

/// Both ends of one connection over loopback, and what tests do with them.
struct Pair {
  Pair(const World& of, std::string path) : world(of), local_path(std::move(path)) {}

  World world;
  std::string local_path;
  TaskGroup tasks{world.executor, world.clock, 2000};
  TaskGroup echoes{world.executor, world.clock, 2000};
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
  std::string seen;

  Deadline soon() { return world.clock.in(seconds(20)); }

  Task<> take() { server = *co_await listener->accept(); }
  Task<> make() {
    listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    tasks.spawn("accept", take());
    client = *co_await world.network.connect(listener->local(), soon());
    while (!server) co_await world.clock.sleep_for(milliseconds(1));
  }

  static Task<> echo(Pair* pair, std::unique_ptr<Stream> stream) {
    char buffer[512];
    while (true) {
      EXPECT_TRUE(co_await stream->readable(Deadline::never()));
      const auto count = co_await stream->read_some(buffer, pair->soon());
      if (!count || *count == 0) break;
      EXPECT_TRUE(co_await stream->write_all({buffer, *count}, pair->soon()));
    }
  }
  Task<> serve(int connections) {
    for (int i = 0; i < connections; ++i) {
      auto stream = co_await listener->accept();
      if (!stream) co_return ADD_FAILURE() << stream.error().what;
      EXPECT_TRUE(echoes.spawn("echo", echo(this, std::move(*stream))));
    }
  }
  Task<> ask(int number) {
    auto stream = co_await world.network.connect(listener->local(), soon());
    if (!stream) co_return ADD_FAILURE() << stream.error().what;
    const std::string question = "number " + std::to_string(number);
    EXPECT_TRUE(co_await (*stream)->write_all(question, soon()));
    (*stream)->shutdown_write();
    std::string answer;
    char buffer[512];
    while (true) {
      const auto count = co_await (*stream)->read_some(buffer, soon());
      if (!count || *count == 0) break;
      answer.append(buffer, *count);
    }
    EXPECT_EQ(answer, question);
    seen += '.';
  }
  Task<> many(int connections) {
    listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    tasks.spawn("serve", serve(connections));
    for (int i = 0; i < connections; ++i) tasks.spawn("ask", ask(i));
    co_await tasks.join();
    co_await echoes.join();
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(connections));
  }

  Task<> endpoints() {
    co_await make();
    EXPECT_EQ(client->remote(), listener->local());
    EXPECT_EQ(server->local(), listener->local());
    EXPECT_EQ(server->remote(), client->local());
    EXPECT_EQ(server->remote().address.text(), "127.0.0.1");
  }
  Task<> read_deadline() {
    co_await make();
    char buffer[8];
    const SteadyTime start = world.clock.now();
    auto got = co_await client->read_some(buffer, world.clock.in(milliseconds(20)));
    EXPECT_EQ(got.error().cause, Cause::timed_out);
    EXPECT_GE(world.clock.now() - start, milliseconds(20));
    auto ready = co_await client->readable(world.clock.in(milliseconds(20)));
    EXPECT_EQ(ready.error().cause, Cause::timed_out);
    // A later deadline after an earlier one, and the connection is still good.
    tasks.spawn("late", write_later(server.get(), "x"));
    EXPECT_EQ(*co_await client->read_some(buffer, soon()), 1U);
    got = co_await client->read_some(buffer, Deadline::at(SteadyTime{}));
    EXPECT_EQ(got.error().cause, Cause::timed_out);
    co_await tasks.join();
  }
  Task<> write_later(Stream* stream, std::string bytes) {
    co_await world.clock.sleep_for(milliseconds(40));
    EXPECT_TRUE(co_await stream->write_all(bytes, soon()));
  }
  Task<> write_deadline() {
    co_await make();
    const std::string much(16 * 1024 * 1024, 'x');
    auto sent = co_await client->write_all(much, world.clock.in(milliseconds(50)));
    EXPECT_EQ(sent.error().cause, Cause::timed_out);
  }

  Task<> note_read(Stream* stream) {
    char buffer[8];
    auto got = co_await stream->read_some(buffer, Deadline::never());
    EXPECT_EQ(got.error().cause, Cause::cancelled);
    seen += 'r';
  }
  Task<> note_write(Stream* stream) {
    const std::string much(16 * 1024 * 1024, 'x');
    auto sent = co_await stream->write_all(much, Deadline::never());
    EXPECT_EQ(sent.error().cause, Cause::cancelled);
    seen += 'w';
  }
  Task<> close_while_waiting() {
    co_await make();
    tasks.spawn("read", note_read(client.get()));
    tasks.spawn("write", note_write(client.get()));
    co_await world.clock.sleep_for(milliseconds(10));
    client->close();
    client->close();
    EXPECT_EQ(seen, "");
    co_await tasks.join();
    EXPECT_EQ(seen.size(), 2U);
    char buffer[8];
    EXPECT_EQ((co_await client->read_some(buffer, soon())).error().cause, Cause::cancelled);
    EXPECT_EQ((co_await client->write_all("x", soon())).error().cause, Cause::cancelled);
  }

  Task<> half_open() {
    co_await make();
    EXPECT_TRUE(co_await client->write_all("last words", soon()));
    client->shutdown_write();
    std::string got;
    char buffer[4];
    while (true) {
      EXPECT_TRUE(co_await server->readable(soon()));
      const auto count = co_await server->read_some(buffer, soon());
      if (!count || *count == 0) break;
      got.append(buffer, *count);
    }
    EXPECT_EQ(got, "last words");
    EXPECT_EQ(*co_await server->read_some(buffer, soon()), 0U) << "the end stays the end";
    EXPECT_TRUE(co_await server->write_all("ok", soon()));
    EXPECT_EQ(*co_await client->read_some(buffer, soon()), 2U);
    server->close();
    EXPECT_EQ(*co_await client->read_some(buffer, soon()), 0U);
  }
  Task<> reset() {
    co_await make();
    EXPECT_TRUE(co_await client->write_all("unread", soon()));
    EXPECT_TRUE(co_await server->readable(soon()));
    server->close();
    char buffer[8];
    EXPECT_EQ((co_await client->read_some(buffer, soon())).error().cause, Cause::closed);
  }

  Task<> drain(Stream* stream, std::size_t expected) {
    std::vector<char> buffer(10'000);
    std::size_t total = 0;
    while (true) {
      const auto count = co_await stream->read_some(buffer, soon());
      if (!count || *count == 0) break;
      for (std::size_t i = 0; i < *count; ++i) {
        if (buffer[i] != static_cast<char>((total + i) % 251)) co_return ADD_FAILURE() << total;
      }
      total += *count;
    }
    EXPECT_EQ(total, expected);
  }
  Task<> much() {
    co_await make();
    std::string bytes(5'000'000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
    tasks.spawn("drain", drain(server.get(), bytes.size()));
    EXPECT_TRUE(co_await client->write_all(bytes, soon()));
    client->shutdown_write();
    co_await tasks.join();
  }

  Task<> note_accept() {
    auto got = co_await listener->accept();
    EXPECT_EQ(got.error().cause, Cause::cancelled);
    seen += 'a';
  }
  Task<> accept_and_close() {
    listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    const Endpoint at = listener->local();
    EXPECT_NE(at.port, 0);
    EXPECT_EQ(world.network.listen(at).error().cause, Cause::in_use);
    tasks.spawn("accept", note_accept());
    co_await world.clock.sleep_for(milliseconds(5));
    listener->close();
    co_await tasks.join();
    EXPECT_EQ(seen, "a");
    EXPECT_EQ((co_await listener->accept()).error().cause, Cause::cancelled);
    EXPECT_EQ((co_await world.network.connect(at, soon())).error().cause, Cause::refused);
    EXPECT_TRUE(world.network.listen(at)) << "free again";
  }
  Task<> source_address() {
    listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    tasks.spawn("accept", take());
    const IpAddress from = *IpAddress::parse("127.0.0.9");
    client = *co_await world.network.connect(listener->local(), soon(), &from);
    while (!server) co_await world.clock.sleep_for(milliseconds(1));
    EXPECT_EQ(server->remote().address, from);
    const IpAddress foreign = *IpAddress::parse("192.0.2.77");
    auto refused = co_await world.network.connect(listener->local(), soon(), &foreign);
    EXPECT_EQ(refused.error().blame, Blame::operator_);
  }
  Task<> local_socket() {
    listener = *world.network.listen_local(local_path);
    tasks.spawn("accept", take());
    client = *co_await world.network.connect_local(local_path, soon());
    while (!server) co_await world.clock.sleep_for(milliseconds(1));
    EXPECT_TRUE(co_await client->write_all("list", soon()));
    char buffer[8];
    EXPECT_EQ(*co_await server->read_some(buffer, soon()), 4U);
    EXPECT_EQ(server->remote(), Endpoint{});
    EXPECT_EQ(world.network.listen_local(local_path).error().cause, Cause::in_use);
    listener->close();
    EXPECT_FALSE(co_await world.network.connect_local(local_path, soon()));
  }
};

#define BOTH(name, ...)                           \
  TEST_P(Networks, name) {                        \
    Pair pair(bed_->world(), bed_->local_path()); \
    run(pair.__VA_ARGS__);                        \
  }
BOTH(Endpoints, endpoints())
BOTH(EchoOfThousand, many(1000))
BOTH(ReadDeadline, read_deadline())
BOTH(WriteDeadline, write_deadline())
BOTH(CloseWhileWaiting, close_while_waiting())
BOTH(HalfOpen, half_open())
BOTH(ResetWhenClosedUnread, reset())
BOTH(MuchInOrder, much())
BOTH(AcceptAndClose, accept_and_close())
BOTH(SourceAddress, source_address())
BOTH(LocalSocket, local_socket())
#undef BOTH

INSTANTIATE_TEST_SUITE_P(Worlds, Networks, ::testing::Values("real", "sim"),
                         [](const auto& info) { return info.param; });

TEST(RealNetwork, StreamIsSmall) {
  EXPECT_LE(sizeof(RealStream), 256U);
}

TEST(RealNetwork, ReplacesAStaleLocalSocket) {
  RealBed bed;
  const std::string path = bed.local_path();
  {
    RealBed other;
    auto listener = *other.world().network.listen_local(path);
    std::filesystem::rename(path, path + "2");
  }
  std::filesystem::rename(path + "2", path);
  EXPECT_TRUE(bed.world().network.listen_local(path)) << "nobody listens there";
}

}  // namespace
}  // namespace postern::io
