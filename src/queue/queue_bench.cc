// The queue alone on a real disk: enqueue, lease, read, complete, 64 messages at a time. Prints
// CPU time a message. Usage: queue_bench DIRECTORY [MESSAGES]
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>

#include "io/real/shard.h"
#include "queue/queue.h"
#include "queue/rocksdb_store.h"

namespace postern::queue {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

struct Bench {
  Bench(const std::string& directory, Store& store, QueueOptions options)
      : shard(*io::RealShard::create({.directory = directory})),
        world(shard->world()),
        queue(world, store, log, std::move(options)),
        tasks(world.executor, world.clock, 200) {}

  io::Task<> send(int count) {
    for (int i = 0; i < count; ++i) {
      mail::Envelope envelope;
      envelope.reverse_path = "sender@example.com";
      envelope.recipients.resize(1);
      envelope.recipients[0].address = "recipient@x.example";
      auto intake = queue.begin(std::move(envelope), {});
      if (!intake || !(co_await (*intake)->append(content)) || !(co_await (*intake)->commit()))
        std::abort();
    }
  }
  io::Task<> take() {
    while (auto work = co_await queue.lease("x.example")) {
      auto body = co_await queue.content(*work);
      if (!body || !(co_await (*body)->next_chunk())) std::abort();
      std::vector<RecipientOutcome> outcomes(1);
      outcomes[0].state = RecipientState::delivered;
      if (!(co_await queue.complete(std::move(*work), outcomes, std::nullopt))) std::abort();
    }
  }
  io::Task<> recover() {
    if (!(co_await queue.recover())) std::abort();
  }
  io::Task<> cycle(int messages) {
    for (int i = 0; i < 64; ++i) tasks.spawn("send", send(messages / 64));
    while (tasks.size() > 0) {
      co_await world.clock.sleep_for(std::chrono::milliseconds(5));
      for (int i = 0; i < 20; ++i) tasks.spawn("take", take());
    }
  }
  io::Task<> finish() {
    co_await tasks.join();
    co_await queue.drain();
  }

  NoLog log;
  std::unique_ptr<io::RealShard> shard;
  io::World world;
  Queue queue;
  io::TaskGroup tasks;
  std::string content = std::string(4096, 'c');
};

int run(const std::string& directory, int messages) {
  auto store = RocksdbStore::open(directory + "/store");
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().what.c_str());
    return 1;
  }
  Bench bench(directory, **store, {});
  if (!bench.shard->run_task(bench.recover())) return 1;
  const double before = cpu_seconds();
  const SteadyTime start = bench.world.clock.now();
  if (!bench.shard->run_task(bench.cycle(messages), std::chrono::minutes(10))) return 1;
  const double wall = std::chrono::duration<double>(bench.world.clock.now() - start).count();
  std::printf("full cycle: %.1f us CPU a message, %.0f messages/s, left %llu\n",
              (cpu_seconds() - before) * 1e6 / messages, messages / wall,
              static_cast<unsigned long long>(bench.queue.counts().messages));
  if (!bench.shard->run_task(bench.finish())) return 1;
  return 0;
}

}  // namespace
}  // namespace postern::queue

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: queue_bench DIRECTORY [MESSAGES]\n");
    return 2;
  }
  return postern::queue::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 50'000);
}
