// The queue alone on the real store and a real disk, with mail as a gateway has it: messages of
// 2 kB, 100 sessions at once, 10,000 destinations and 50,000 senders of which few have much. Each
// word is one measurement, which prints one line of JSON; `./dev bench queue` runs them in turn and
// compares them with their bounds.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/random.h"
#include "io/real/shard.h"
#include "queue/queue.h"
#include "queue/rocksdb_store.h"

namespace postern::queue {
namespace {

constexpr int sessions = 100;
constexpr std::size_t content_bytes = 2048;
constexpr std::uint64_t destinations = 10'000;
constexpr std::uint64_t senders = 50'000;
constexpr Duration run_time_max = std::chrono::hours(1);

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

std::uint64_t resident_bytes() {
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file != nullptr && std::fscanf(file, "%lu %lu", &all, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// What malloc has given out, free or not yet given back to the system left aside.
std::uint64_t allocated_bytes() {
  const struct mallinfo2 all = mallinfo2();
  return all.uordblks + all.hblkhd;
}

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "queue_bench: {}\n", what);
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error().what);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// One queue in a directory of its own.
class Bench {
 public:
  explicit Bench(const std::string& directory, std::uint64_t seed = 1)
      : shard_(must(io::RealShard::create({.directory = directory}))),
        started_(clock().now()),
        store_(must(RocksdbStore::open(directory + "/store"))),
        opened_(clock().now()),
        queue_(shard_->world(), *store_, log_, {}),
        tasks_(shard_->world().executor, clock(), sessions),
        dice_(seed) {}

  /// Messages a second.
  double enqueue(int messages) {
    const SteadyTime start = clock().now();
    run(send_all(messages));
    return messages / seconds_of(clock().now() - start);
  }
  void recover() { run(recover_task()); }
  /// What is due first, as delivery gets it.
  void lease_one() { run(lease_task()); }
  /// Enqueues and delivers; messages a second.
  double cycle(int messages) {
    const SteadyTime start = clock().now();
    run(cycle_task(messages));
    return messages / seconds_of(clock().now() - start);
  }
  void finish() { run(finish_task()); }
  /// Until RocksDB's threads have done what they had to.
  void wait_quiet() { run(quiet_task()); }

  [[nodiscard]] std::uint64_t messages() const { return queue_.counts().messages; }
  [[nodiscard]] Duration opening() const { return opened_ - started_; }
  [[nodiscard]] Duration since_start() { return clock().now() - started_; }

 private:
  io::Clock& clock() { return shard_->world().clock; }
  void run(io::Task<> task) {
    if (!shard_->run_task(std::move(task), run_time_max)) give_up("it takes too long");
  }

  /// Few get much: the k-th is chosen as often as 1/k (Zipf).
  std::uint64_t one_of(std::uint64_t count) {
    const double unit = double(dice_.below(1 << 30)) / (1 << 30);
    return static_cast<std::uint64_t>(std::exp(unit * std::log(double(count))));
  }
  mail::Envelope envelope() {
    mail::Envelope out;
    out.reverse_path = fmt::format("user{}@sender.example", one_of(senders));
    out.recipients.resize(1);
    out.recipients[0].address = fmt::format("someone@d{}.example", one_of(destinations));
    return out;
  }
  Provenance provenance() {
    Provenance out;
    out.client = *IpAddress::parse("192.0.2.25");
    out.client_name = "client.sender.example";
    out.helo = "client.sender.example";
    out.protocol = "ESMTPS";
    out.arrived = clock().wall_now();
    return out;
  }

  io::Task<> send(int* left) {
    while (*left > 0) {
      --*left;
      const std::unique_ptr<Intake> intake = must(queue_.begin(envelope(), provenance()));
      must(co_await intake->append(content_));
      must(co_await intake->commit());
    }
  }
  io::Task<> send_all(int messages) {
    for (int i = 0; i < sessions; ++i) tasks_.spawn("send", send(&messages));
    while (tasks_.size() > 0) co_await clock().sleep_for(std::chrono::milliseconds(1));
  }
  io::Task<> recover_task() { must(co_await queue_.recover()); }
  io::Task<> lease_task() {
    for (const std::string& destination : queue_.due_destinations())
      if (const std::optional<Lease> work = co_await queue_.lease(destination)) co_return;
    give_up("nothing is due");
  }
  io::Task<> deliver(std::string destination) {
    while (std::optional<Lease> work = co_await queue_.lease(destination)) {
      const std::unique_ptr<Content> body = must(co_await queue_.content(*work));
      must(co_await body->next_chunk());
      std::vector<RecipientOutcome> outcomes(1);
      outcomes[0].state = RecipientState::delivered;
      must(co_await queue_.complete(std::move(*work), outcomes, std::nullopt));
    }
  }
  io::Task<> cycle_task(int messages) {
    for (int i = 0; i < sessions / 2; ++i) tasks_.spawn("send", send(&messages));
    while (tasks_.size() > 0 || queue_.counts().messages > 0) {
      co_await clock().sleep_for(std::chrono::milliseconds(1));
      for (const std::string& destination : queue_.due_destinations())
        if (!tasks_.spawn("deliver", deliver(destination))) break;
    }
  }
  io::Task<> finish_task() {
    co_await tasks_.join();
    co_await queue_.drain();
  }
  io::Task<> quiet_task() {
    constexpr double idle_share = 0.05;
    constexpr int looks_max = 300;
    for (int look = 0; look < looks_max; ++look) {
      const double before = cpu_seconds();
      co_await clock().sleep_for(std::chrono::milliseconds(200));
      if (cpu_seconds() - before < 0.2 * idle_share) co_return;
    }
  }

  NoLog log_;
  std::unique_ptr<io::RealShard> shard_;
  SteadyTime started_;
  std::unique_ptr<RocksdbStore> store_;
  SteadyTime opened_;
  Queue queue_;
  io::TaskGroup tasks_;
  SplitMix64 dice_;
  std::string content_ = std::string(content_bytes, 'c');
};

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
}

/// A full cycle of each message: taken, leased, read, completed.
void measure_cycle(const std::string& directory, int messages) {
  Bench bench(directory);
  bench.recover();
  const double before = cpu_seconds();
  const double rate = bench.cycle(messages);
  const double cpu = (cpu_seconds() - before) * 1e6 / messages;
  bench.finish();
  fmt::print("{{\"per_second\":{:.0f},\"cpu_us\":{:.1f}}}\n", rate, cpu);
}

/// Fills a queue; how fast at its beginning and at its end.
void measure_fill(const std::string& directory, int messages) {
  Bench bench(directory);
  bench.recover();
  constexpr int parts = 10;
  std::vector<double> rates;
  rates.reserve(parts);
  for (int part = 0; part < parts; ++part) rates.push_back(bench.enqueue(messages / parts));
  bench.finish();
  fmt::print(
      "{{\"first_tenth_per_second\":{:.0f},\"median_tenth_per_second\":{:.0f},"
      "\"last_tenth_per_second\":{:.0f}}}\n",
      rates.front(), median(rates), rates.back());
}

/// Samples in turn: into a queue that is empty each time, and into the one that is there. Both pay
/// for what RocksDB does with its tables meanwhile.
void measure_sample(const std::string& directory, int samples, int messages) {
  Bench full(directory, 2);
  full.recover();
  Bench empty(directory + "-empty", 3);
  empty.recover();
  const std::uint64_t queued = full.messages();
  std::vector<double> into_empty;
  std::vector<double> into_full;
  std::vector<double> ratios;
  for (int i = 0; i < samples; ++i) {
    full.wait_quiet();
    into_empty.push_back(empty.enqueue(messages));
    empty.cycle(0);  // delivers all
    full.wait_quiet();
    into_full.push_back(full.enqueue(messages));
    ratios.push_back(into_full.back() / into_empty.back());
  }
  empty.finish();
  full.finish();
  fmt::print(
      "{{\"queued\":{},\"empty_per_second\":{:.0f},\"full_per_second\":{:.0f},"
      "\"ratio\":{:.3f}}}\n",
      queued, median(into_empty), median(into_full), median(ratios));
}

void measure_restart(const std::string& directory) {
  Bench bench(directory);
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t allocated = allocated_bytes();
  bench.recover();
  bench.lease_one();
  const Duration until_lease = bench.since_start();
  const double cpu = cpu_seconds();
  const auto grown = [&](std::uint64_t now, std::uint64_t before) {
    return double(now - std::min(now, before)) /
           double(std::max<std::uint64_t>(1, bench.messages()));
  };
  const double resident_each = grown(resident_bytes(), resident);
  const double allocated_each = grown(allocated_bytes(), allocated);
  fmt::print(
      "{{\"messages\":{},\"open_seconds\":{:.2f},\"first_lease_seconds\":{:.2f},"
      "\"cpu_seconds\":{:.2f},\"resident_bytes_each\":{:.0f},\"allocated_bytes_each\":{:.0f}}}\n",
      bench.messages(), seconds_of(bench.opening()), seconds_of(until_lease), cpu, resident_each,
      allocated_each);
  bench.finish();
}

int run(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t at) { return std::atoi(words[at].c_str()); };
  if (words.size() == 3 && words[0] == "cycle")
    measure_cycle(words[1], number(2));
  else if (words.size() == 3 && words[0] == "fill")
    measure_fill(words[1], number(2));
  else if (words.size() == 4 && words[0] == "sample")
    measure_sample(words[1], number(2), number(3));
  else if (words.size() == 2 && words[0] == "restart")
    measure_restart(words[1]);
  else {
    fmt::print(stderr,
               "usage: queue_bench cycle DIRECTORY MESSAGES | fill DIRECTORY MESSAGES | "
               "sample DIRECTORY SAMPLES MESSAGES | restart DIRECTORY\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace postern::queue

int main(int argc, char** argv) {
  return postern::queue::run(std::vector<std::string>(argv + 1, argv + argc));
}
