// The delivery of one destination's mail on the real store, a real disk and real sockets, with or
// without a hundred thousand messages for another destination that is dead. Each word is one
// measurement in a process of its own, which prints one line of JSON; `./dev bench delivery` runs
// them in turn, with the next hop in another process, and compares them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "delivery/dispatcher.h"
#include "delivery/testing/sink.h"
#include "dns/zone_resolver.h"
#include "io/real/shard.h"
#include "queue/rocksdb_store.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr int sessions = 100;
constexpr std::size_t content_bytes = 2048;
constexpr Duration run_time_max = std::chrono::minutes(10);

// Where the next hops are: one that takes mail, one where nobody listens, and one that the system
// connects to and that never says anything.
constexpr const char* sink_address = "127.0.0.1";
constexpr const char* refusing_address = "127.0.0.2";
constexpr const char* silent_address = "127.0.0.3";
// So short that the silent one is found dead, with all that follows, while the others are measured.
constexpr Duration greeting_timeout = 200ms;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "delivery_bench: {}\n", what);
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error().what);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Counts what is written of the dead destination's mail.
class CountingLog final : public Log {
 public:
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override {
    if (severity >= Severity::warning) fmt::print(stderr, "delivery_bench: {}\n", event);
    if (event == "deferred") ++deferred;
    if (event == "destination-dead") ++deaths;
    for (const LogField& field : fields)
      if (event == "postponed" && field.key == "messages")
        postponed += std::stoull(std::string(std::get<std::string_view>(field.value)));
  }
  void raw(Severity, std::string_view) override {}
  std::uint64_t deferred = 0;
  std::uint64_t deaths = 0;
  std::uint64_t postponed = 0;
};

/// One gateway's queue and dispatcher in a directory of its own.
class Bench {
 public:
  Bench(const std::string& directory, std::uint16_t port, std::string_view dead)
      : shard_(must(io::RealShard::create({.directory = directory}))),
        world_(shard_->world()),
        store_(must(queue::RocksdbStore::open(directory + "/store"))),
        queue_(world_, *store_, log_, {}),
        resolver_(world_.clock, zone(dead)),
        dispatcher_(world_, queue_, resolver_, nullptr, log_, options(port)),
        tasks_(world_.executor, world_.clock, sessions) {
    run(recover_task());
  }

  void enqueue(int messages, const std::string& domain) { run(send_all(messages, domain)); }
  /// Starts delivery and waits until so many messages are left.
  void deliver_until(std::uint64_t left) { run(deliver_task(left)); }
  /// Until all of the dead destination's mail waits for its next time.
  void wait_postponed() { run(postponed_task()); }
  void finish() { run(finish_task()); }
  [[nodiscard]] std::uint64_t messages() const { return queue_.counts().messages; }
  io::Clock& clock() { return world_.clock; }
  const CountingLog& log() const { return log_; }

 private:
  void run(io::Task<> task) {
    if (!shard_->run_task(std::move(task), run_time_max)) give_up("it takes too long");
  }
  static dns::Zone zone(std::string_view dead) {
    auto read = dns::Zone::parse(
        fmt::format("live.example MX 10 mx.live.example\nmx.live.example A {}\n"
                    "dead.example MX 10 mx.dead.example\nmx.dead.example A {}\n",
                    sink_address, dead == "silent" ? silent_address : refusing_address));
    if (!read) give_up("the zone does not read");
    return *std::move(read);
  }
  static DeliveryOptions options(std::uint16_t port) {
    DeliveryOptions options;
    options.hostname = "gw.example.net";
    options.port = port;
    options.timeouts.greeting = greeting_timeout;
    return options;
  }

  io::Task<> recover_task() { must(co_await queue_.recover()); }
  io::Task<> send(int& left, const std::string& domain) {
    while (left > 0) {
      const int number = --left;
      mail::Envelope envelope;
      envelope.reverse_path = fmt::format("user{}@sender.example", number % 1000);
      envelope.recipients.resize(1);
      envelope.recipients[0].address = fmt::format("someone{}@{}", number % 100, domain);
      queue::Provenance provenance;
      provenance.helo = "client.sender.example";
      provenance.arrived = world_.clock.wall_now();
      const auto intake = must(queue_.begin(std::move(envelope), std::move(provenance)));
      must(co_await intake->append(content_));
      must(co_await intake->commit());
    }
  }
  io::Task<> send_all(int messages, const std::string& domain) {
    for (int i = 0; i < sessions; ++i) tasks_.spawn("send", send(messages, domain));
    while (tasks_.size() > 0) co_await world_.clock.sleep_for(1ms);
  }
  io::Task<> deliver_task(std::uint64_t left) {
    dispatcher_.start();
    while (queue_.counts().messages > left) co_await world_.clock.sleep_for(1ms);
  }
  io::Task<> postponed_task() {
    const SteadyTime give_up_at = world_.clock.now() + 30s;
    while (log_.postponed == 0 && world_.clock.now() < give_up_at)
      co_await world_.clock.sleep_for(1ms);
  }
  io::Task<> finish_task() {
    co_await dispatcher_.stop(world_.clock.in(1s));
    co_await tasks_.join();
    co_await queue_.drain();
  }

  CountingLog log_;
  std::unique_ptr<io::RealShard> shard_;
  io::World world_;
  std::unique_ptr<queue::RocksdbStore> store_;
  queue::Queue queue_;
  dns::ZoneResolver resolver_;
  Dispatcher dispatcher_;
  io::TaskGroup tasks_;
  std::string content_ = "Subject: measured\r\n\r\n" + std::string(content_bytes, 'c') + "\r\n";
};

void fill(const std::string& directory, int messages) {
  Bench bench(directory, 1, "refused");
  bench.enqueue(messages, "dead.example");
  fmt::print("{{\"messages\":{}}}\n", bench.messages());
  bench.finish();
}

/// The rate at which so many messages of the live destination are delivered, from the start of
/// delivery on, when all that is queued is due.
void measure(const std::string& directory, std::uint16_t port, std::string_view dead,
             int messages) {
  Bench bench(directory, port, dead);
  const std::uint64_t others = bench.messages();
  bench.enqueue(messages, "live.example");
  const double cpu_before = cpu_seconds();
  const SteadyTime start = bench.clock().now();
  bench.deliver_until(others);
  const double seconds = std::chrono::duration<double>(bench.clock().now() - start).count();
  const double cpu = (cpu_seconds() - cpu_before) * 1e6 / messages;
  if (others > 0) bench.wait_postponed();
  fmt::print(
      "{{\"others\":{},\"per_second\":{:.1f},\"cpu_us\":{:.2f},\"deferred\":{},"
      "\"deaths\":{},\"postponed\":{}}}\n",
      others, messages / seconds, cpu, bench.log().deferred, bench.log().deaths,
      bench.log().postponed);
  bench.finish();
}

io::Task<> serve(const io::World& world, std::uint16_t port) {
  testing::Sink sink(world, {*IpAddress::parse(sink_address), port});
  sink.start();
  const auto silent = must(world.network.listen({*IpAddress::parse(silent_address), port}));
  fmt::print("ready\n");
  std::fflush(stdout);
  while (true) {
    co_await world.clock.sleep_for(1s);
    sink.messages.clear();
    sink.commands.clear();
  }
}

/// The next hops, until the process is ended.
void serve_for_ever(const std::string& directory, std::uint16_t port) {
  const auto shard = must(io::RealShard::create({.directory = directory}));
  if (!shard->run_task(serve(shard->world(), port), std::chrono::hours(1)))
    give_up("nobody ended the next hop");
}

int run(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t at) { return std::atoi(words[at].c_str()); };
  const auto port = [&](std::size_t at) { return static_cast<std::uint16_t>(number(at)); };
  if (words.size() == 3 && words[0] == "serve")
    serve_for_ever(words[1], port(2));
  else if (words.size() == 3 && words[0] == "fill")
    fill(words[1], number(2));
  else if (words.size() == 5 && words[0] == "measure")
    measure(words[1], port(2), words[3], number(4));
  else {
    fmt::print(stderr,
               "usage: delivery_bench serve DIRECTORY PORT | fill DIRECTORY MESSAGES | "
               "measure DIRECTORY PORT refused|silent MESSAGES\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace postern::delivery

int main(int argc, char** argv) {
  return postern::delivery::run(std::vector<std::string>(argv + 1, argv + argc));
}
