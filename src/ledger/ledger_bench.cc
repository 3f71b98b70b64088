// What recording costs: ledger_bench fill FILE REFUSALS | write FILE REFUSALS | load PORT SESSIONS
// (bench/README.md).
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/random.h"
#include "io/real/shard.h"
#include "ledger/ledger.h"
#include "ledger/schema.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view case_letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
constexpr std::size_t batch_events = LedgerOptions().batch_max;
constexpr int clients_at_once = 20;
constexpr int senders = 4000;  // whose servers come back

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

// --- fill: refusals of a month, each fifth of them a second attempt

IpAddress some_client(std::uint64_t number) {
  const auto byte = [number](int shift) { return static_cast<std::uint8_t>(number >> shift); };
  return IpAddress::from_v4({static_cast<std::uint8_t>(20 + byte(16) % 100), byte(8), byte(0),
                             static_cast<std::uint8_t>(byte(24) | 1)});
}

std::shared_ptr<const auth::Iprev> nameless(const IpAddress& client) {
  auto lookups = std::make_shared<auth::Iprev>();
  lookups->address = client;
  lookups->result = auth::IprevResult::fail;
  lookups->ptr_status = dns::Status::nx_domain;
  return lookups;
}

/// What all refusals here have in common; `bits` make its case.
Refusal refusal_of(std::shared_ptr<const auth::Iprev> lookups, std::uint64_t bits, WallTime time) {
  Refusal refusal;
  refusal.time = time;
  for (int i = 0; i < 6; ++i, bits >>= 5)
    refusal.case_id += case_letters[bits % case_letters.size()];
  refusal.client = lookups->address;
  refusal.greeting = upstream::Greeting::ehlo;
  refusal.state = "no_ptr";
  refusal.action = "450";
  refusal.effect = Effect::refused;
  refusal.reply = fmt::format(
      "450 4.7.25 Client host rejected: cannot find your hostname, [{}]: no PTR record (case {})",
      refusal.client.text(), refusal.case_id);
  refusal.latency = 12ms;
  refusal.lookups = std::move(lookups);
  return refusal;
}

Refusal some_refusal(SplitMix64& random, std::uint64_t number, WallTime time) {
  const std::uint64_t message = number % 5 == 4 && number > 1000 ? number - 1000 : number;
  Refusal refusal =
      refusal_of(nameless(some_client(message * 0x9e3779b97f4a7c15)), random.next(), time);
  refusal.helo = fmt::format("host-{}.example.com", message % 10'000);
  refusal.sender = fmt::format("sender-{}@example.com", message);
  refusal.recipient = fmt::format("user-{}@example.net", message % 997);
  refusal.message = message + 1;
  return refusal;
}

int fill(const std::string& path, std::uint64_t count, WallTime now) {
  const double cpu = cpu_seconds();
  auto writer = BatchWriter::open(path, now);
  if (!writer) {
    fmt::print(stderr, "{}\n", writer.error().what);
    return EXIT_FAILURE;
  }
  SplitMix64 random(1);
  std::vector<Event> events;
  std::string last_case;
  for (std::uint64_t number = 0; number < count; ++number) {
    const Duration before =
        30 * 24h * static_cast<std::int64_t>(count - number) / static_cast<std::int64_t>(count);
    Refusal refusal = some_refusal(random, number, now - before);
    if (number == count / 2) last_case = refusal.case_id;
    events.emplace_back(std::move(refusal));
    if (events.size() < batch_events && number + 1 < count) continue;
    if (const auto written = (*writer)->write(events); !written) {
      fmt::print(stderr, "{}\n", written.error().what);
      return EXIT_FAILURE;
    }
    events.clear();
  }
  const auto sizes = (*writer)->sizes();
  writer->reset();
  fmt::print(R"({{"case":"{}","bytes":{},"cpu_us":{:.3f}}})"
             "\n",
             last_case, sizes ? sizes->database_bytes : 0,
             (cpu_seconds() - cpu) * 1e6 / static_cast<double>(count));
  return EXIT_SUCCESS;
}

// --- write: what `load` has the server write, without the server

Refusal loaded_refusal(std::uint64_t number, WallTime time,
                       const std::vector<std::shared_ptr<const auth::Iprev>>& lookups) {
  Refusal refusal =
      refusal_of(lookups[number % lookups.size()], number * 0x9e3779b97f4a7c15 >> 20, time);
  refusal.helo = "load.sender.test";
  refusal.sender = fmt::format("sender-{}@sender.test", number % senders);
  refusal.recipient = "user@example.test";
  refusal.message = number + 1;
  return refusal;
}

int write(const std::string& path, std::uint64_t count, WallTime now) {
  std::vector<std::shared_ptr<const auth::Iprev>> lookups;
  lookups.reserve(1024);
  for (int i = 0; i < 1024; ++i)
    lookups.push_back(nameless(IpAddress::from_v4(
        {127, 2, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i % 256)})));
  auto writer = BatchWriter::open(path, now);
  if (!writer) {
    fmt::print(stderr, "{}\n", writer.error().what);
    return EXIT_FAILURE;
  }
  double cpu = 0;
  EventBatch batch;
  for (std::uint64_t done = 0; done < count; done += batch_events) {
    for (std::size_t i = 0; i < batch_events; ++i)
      batch.add(loaded_refusal(done + i, now, lookups));
    now += 1s;
    const double before = cpu_seconds();
    if (!(*writer)->write(batch.events()) || !(*writer)->sizes() || !(*writer)->expire({}, now)) {
      fmt::print(stderr, "cannot write\n");
      return EXIT_FAILURE;
    }
    batch.clear();
    cpu += cpu_seconds() - before;
  }
  fmt::print(R"({{"cpu_us":{:.3f}}})"
             "\n",
             cpu * 1e6 / static_cast<double>(count));
  return EXIT_SUCCESS;
}

// --- load: EHLO, MAIL, RCPT, QUIT of clients who are refused

struct Load {
  std::uint16_t port = 0;
  int sessions_left = 0;
  std::uint64_t refused = 0;
};

io::Task<bool> expect(io::Stream& stream, io::Clock& clock, std::string command,
                      std::string_view code) {
  if (!command.empty() && !co_await stream.write_all(command, clock.in(30s))) co_return false;
  std::string reply;
  std::array<char, 1024> buffer{};
  // The last line of a reply has a space behind its code.
  while (true) {
    const auto end = reply.rfind("\r\n");
    if (end != std::string::npos && end + 2 == reply.size()) {
      const auto before = reply.rfind("\r\n", end - 1);
      const std::size_t line = before == std::string::npos ? 0 : before + 2;
      if (reply[line + 3] == ' ') co_return reply.compare(line, code.size(), code) == 0;
    }
    const auto count = co_await stream.read_some(buffer, clock.in(30s));
    if (!count || *count == 0) co_return false;
    reply.append(buffer.data(), *count);
  }
}

io::Task<bool> one_session(io::World world, std::uint16_t port, int number) {
  const IpAddress from = IpAddress::from_v4({127, 2, static_cast<std::uint8_t>(number / 256 % 4),
                                             static_cast<std::uint8_t>(number % 256)});
  auto stream = co_await world.network.connect({*IpAddress::parse("127.0.0.1"), port},
                                               world.clock.in(30s), &from);
  if (!stream) co_return false;
  co_return co_await expect(**stream, world.clock, "", "220") &&
      co_await expect(**stream, world.clock, "EHLO load.sender.test\r\n", "250") &&
      co_await expect(**stream, world.clock,
                      fmt::format("MAIL FROM:<sender-{}@sender.test>\r\n", number % senders),
                      "250") &&
      co_await expect(**stream, world.clock, "RCPT TO:<user@example.test>\r\n", "450") &&
      co_await expect(**stream, world.clock, "QUIT\r\n", "221");
}

io::Task<> client(io::World world, Load& load) {
  while (load.sessions_left > 0) {
    const int number = load.sessions_left--;
    if (co_await one_session(world, load.port, number)) ++load.refused;
  }
}

io::Task<> all_clients(io::World world, Load& load) {
  io::TaskGroup clients(world.executor, world.clock, clients_at_once);
  for (int i = 0; i < clients_at_once; ++i) clients.spawn("client", client(world, load));
  co_await clients.join();
}

int load_server(io::RealShard& shard, std::uint16_t port, int sessions) {
  Load load{.port = port, .sessions_left = sessions};
  const SteadyTime began = shard.world().clock.now();
  if (!shard.run_task(all_clients(shard.world(), load), 600s)) return EXIT_FAILURE;
  const std::chrono::duration<double> took = shard.world().clock.now() - began;
  fmt::print(R"({{"refused":{},"seconds":{:.4f}}})"
             "\n",
             load.refused, took.count());
  return EXIT_SUCCESS;
}

int run(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  auto shard = io::RealShard::create({.directory = "."});
  if (!shard) return EXIT_FAILURE;
  const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
  if (what == "fill" && argc == 4)
    return fill(argv[2], number(3), (*shard)->world().clock.wall_now());
  if (what == "write" && argc == 4)
    return write(argv[2], number(3), (*shard)->world().clock.wall_now());
  if (what == "load" && argc == 4)
    return load_server(**shard, static_cast<std::uint16_t>(number(2)), static_cast<int>(number(3)));
  fmt::print(stderr,
             "ledger_bench fill FILE REFUSALS | write FILE REFUSALS | load PORT SESSIONS\n");
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace postern::ledger

int main(int argc, char** argv) {
  return postern::ledger::run(argc, argv);
}
