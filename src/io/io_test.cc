#include <gtest/gtest.h>

#include "base/check.h"
#include "io/real/shard.h"

namespace postern::io {
namespace {

std::string temporary_directory() {
  std::string path = ::testing::TempDir() + "postern-io-XXXXXX";
  CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

struct Echo {
  World world;
  std::string got;

  Task<> serve(Listener& listener) {
    auto stream = co_await listener.accept();
    char buffer[100];
    while (true) {
      auto ready = co_await (*stream)->readable(Deadline::never());
      auto count = co_await (*stream)->read_some(buffer, world.clock.in(seconds(5)));
      if (!count || *count == 0) break;
      co_await (*stream)->write_all({buffer, *count}, world.clock.in(seconds(5)));
    }
  }
  Task<> run() {
    auto listener = *world.network.listen(*Endpoint::parse("127.0.0.1:0"));
    TaskGroup tasks(world.executor, world.clock, 5);
    tasks.spawn("serve", serve(*listener));
    auto stream = co_await world.network.connect(listener->local(), world.clock.in(seconds(5)));
    co_await (*stream)->write_all("hello", world.clock.in(seconds(5)));
    char buffer[100];
    auto count = co_await (*stream)->read_some(buffer, world.clock.in(seconds(5)));
    got.assign(buffer, *count);
    (*stream)->close();
    co_await tasks.join();
  }
};

TEST(RealShard, Echo) {
  auto shard = *RealShard::create({.directory = temporary_directory()});
  Echo echo{shard->world(), {}};
  EXPECT_TRUE(shard->run_task(echo.run()));
  EXPECT_EQ(echo.got, "hello");
}

}  // namespace
}  // namespace postern::io
