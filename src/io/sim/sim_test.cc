// What only the simulated world can do: virtual time, faults, crashes, and one trace for one seed.
#include <gtest/gtest.h>

#include "io/sim/sim_world.h"

namespace postern::io {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

const IpAddress client_address = *IpAddress::parse("192.0.2.1");
const IpAddress server_address = *IpAddress::parse("198.51.100.1");
const Endpoint server_endpoint{server_address, 25};

/// A server that stores each line it gets in a file of its own and answers when it is synced.
struct Server {
  explicit Server(const World& of) : world(of), tasks(of.executor, of.clock, 100) {}

  Task<> run() {
    (void)co_await world.disk.make_directory("spool");
    (void)co_await world.disk.sync_directory("");
    auto listening = world.network.listen(server_endpoint);
    if (!listening) co_return ADD_FAILURE() << listening.error().what;
    listener = std::move(*listening);
    while (true) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      (void)tasks.spawn("session", session(std::move(*stream)));
    }
  }
  Task<> session(std::unique_ptr<Stream> stream) {
    char buffer[256];
    while (true) {
      const auto count = co_await stream->read_some(buffer, Deadline::never());
      if (!count || *count == 0) co_return;
      const std::string name = "spool/" + std::string(buffer, *count);
      auto file = co_await world.disk.create(name);
      if (!file) co_return;
      if (!co_await (*file)->append("content of " + name)) co_return;
      if (!co_await (*file)->sync()) co_return;
      if (!co_await world.disk.sync_directory("spool")) co_return;
      ++stored;
      if (!co_await stream->write_all("ok", world.clock.in(seconds(60)))) co_return;
    }
  }

  World world;
  TaskGroup tasks;
  std::unique_ptr<Listener> listener;
  int stored = 0;
};

struct Client {
  World world;
  int acknowledged = 0;
  std::string last_error;
  std::vector<std::string> accepted;

  Client(const World& of) : world(of) {}

  /// One connection, `count` names one after the other, for as long as all goes well.
  Task<> send(std::string prefix, int count) {
    auto stream =
        co_await world.network.connect(server_endpoint, world.clock.in(seconds(30)), nullptr);
    if (!stream) {
      last_error = stream.error().what;
      co_return;
    }
    char buffer[16];
    for (int i = 0; i < count; ++i) {
      const std::string name = prefix + std::to_string(i);
      const auto sent = co_await (*stream)->write_all(name, world.clock.in(seconds(60)));
      const auto got = co_await (*stream)->read_some(buffer, world.clock.in(seconds(60)));
      if (!sent || !got || *got == 0) {
        last_error = !sent ? sent.error().what : !got ? got.error().what : "end of stream";
        co_return;
      }
      ++acknowledged;
      accepted.push_back("spool/" + name);
    }
  }
};

/// Two hosts and a server.
struct Scene {
  explicit Scene(std::uint64_t seed)
      : sim(seed),
        client_host(sim.add_host("client", client_address)),
        server_host(sim.add_host("server", server_address)),
        client(client_host.world()) {}
  void start_server() {
    server = std::make_unique<Server>(server_host.world());
    server_host.spawn("server", server->run());
    EXPECT_TRUE(sim.run_for(seconds(1)));
  }
  ~Scene() { server_host.crash(CrashKind::process); }

  std::unique_ptr<Server> server;
  SimWorld sim;
  SimHost& client_host;
  SimHost& server_host;
  Client client;
};

std::uint64_t trace_of(std::uint64_t seed, std::vector<std::string>* text = nullptr) {
  Scene scene(seed);
  if (text != nullptr) scene.sim.trace().keep_text();
  scene.sim.network().faults.resets_per_mille = 10;
  scene.start_server();
  for (int i = 0; i < 5; ++i) {
    (void)scene.client_host.spawn("send", scene.client.send("m" + std::to_string(i) + "-", 20));
  }
  EXPECT_TRUE(scene.sim.run_for(milliseconds(200)));
  scene.server_host.crash(CrashKind::power);
  scene.start_server();
  EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("again", 20)));
  if (text != nullptr) *text = scene.sim.trace().text();
  return scene.sim.trace().hash();
}

TEST(Sim, SameSeedSameTrace) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::uint64_t first = trace_of(seed);
    EXPECT_EQ(first, trace_of(seed)) << "seed " << seed;
    hashes.insert(first);
  }
  EXPECT_EQ(hashes.size(), 20U) << "another seed, another trace";
  std::vector<std::string> text;
  trace_of(1, &text);
  EXPECT_GT(text.size(), 100U);
}

struct Sleeper {
  World world;
  int woken = 0;
  Task<> sleep(Duration duration) {
    co_await world.clock.sleep_for(duration);
    ++woken;
  }
  Task<> for_ever() {
    while (true) co_await world.clock.sleep_for(seconds(1));
  }
  Task<> count_down(int* count) {
    while (--*count > 0) co_await world.clock.sleep_for(seconds(1));
  }
};

TEST(Sim, TimeJumps) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  Sleeper sleeper{host.world()};
  host.spawn("sleep", sleeper.sleep(hours(24 * 5)));
  const SteadyTime start = sim.now();
  EXPECT_TRUE(sim.run_for(hours(24)));
  EXPECT_EQ(sleeper.woken, 0);
  EXPECT_EQ(sim.now() - start, hours(24));
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(sleeper.woken, 1);
  EXPECT_EQ(sim.now() - start, hours(24 * 5));
}

TEST(Sim, EndlessTasksMeetTheBound) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  Sleeper sleeper{host.world()};
  sim.set_events_max(1000);
  EXPECT_FALSE(sim.run_task(host, sleeper.for_ever()));
  EXPECT_FALSE(sim.run_until_idle());
}

TEST(Sim, CrashDestroysTasksWithoutResumingThem) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  Sleeper sleeper{host.world()};
  for (int i = 0; i < 100; ++i) host.spawn("sleep", sleeper.sleep(seconds(i)));
  EXPECT_TRUE(sim.run_for(seconds(49) + milliseconds(500)));
  EXPECT_EQ(sleeper.woken, 50);
  host.spawn("sleep", sleeper.sleep(seconds(1)));  // not even begun
  host.crash(CrashKind::process);
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(sleeper.woken, 50);
  Sleeper after{host.world()};
  EXPECT_TRUE(sim.run_task(host, after.sleep(seconds(1))));
}

// An object that the host's tasks do not own is destroyed after the crash; what it would begin then
// never runs.
TEST(Sim, NothingBeginsOnACrashedHost) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  const World world = host.world();
  TaskGroup group(world.executor, world.clock, 4);
  host.crash(CrashKind::process);
  EXPECT_FALSE(group.spawn("late", world.clock.sleep_for(seconds(1))));
  EXPECT_EQ(group.size(), 0U);
  EXPECT_TRUE(host.spawn("of the next life", host.clock().sleep_for(seconds(1))));
  EXPECT_TRUE(sim.run_until_idle());
}

/// A parent that owns in its frame what its children use to their very end.
struct Family {
  World world;
  struct Child {
    explicit Child(int* of) : count(of) { ++*count; }
    ~Child() { --*count; }
    int* count;
  };
  static Task<> child(World world, int* count, Notify* notify) {
    const Child counted(count);
    (void)co_await notify->wait(world.clock.in(hours(1)));
  }
  Task<> parent() {
    int count = 0;
    Notify notify(world.clock);
    TaskGroup children(world.executor, world.clock, 10);
    for (int i = 0; i < 10; ++i) children.spawn("child", child(world, &count, &notify));
    while (true) {
      co_await world.clock.sleep_for(seconds(1));
      EXPECT_EQ(count, 10);
      notify.wake_one();
      co_await world.clock.sleep_for(seconds(1));
      children.spawn("child", child(world, &count, &notify));
    }
  }
};

TEST(Sim, CrashDestroysChildrenBeforeTheirParents) {
  for (int steps = 0; steps < 40; ++steps) {
    SimWorld sim(1);
    SimHost& host = sim.add_host("host", client_address);
    Family family{host.world()};
    host.spawn("parent", family.parent());
    EXPECT_TRUE(sim.run_for(milliseconds(250) * steps));
    host.crash(CrashKind::process);
  }
}

TEST(Sim, AcknowledgedSurvivesEveryCrash) {
  int cut = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Scene scene(seed);
    scene.start_server();
    (void)scene.client_host.spawn("send", scene.client.send("m", 1000));
    EXPECT_TRUE(scene.sim.run_for(milliseconds(20 + 7 * static_cast<int>(seed))));
    scene.server_host.crash(seed % 2 == 0 ? CrashKind::power : CrashKind::process);
    EXPECT_TRUE(scene.sim.run_for(seconds(120)));
    EXPECT_NE(scene.client.last_error, "") << "the client notices";
    for (const std::string& name : scene.client.accepted) {
      EXPECT_EQ(scene.server_host.disk().contents(name), "content of " + name) << "seed " << seed;
    }
    for (const std::string& name : scene.server_host.disk().names()) {
      if (name != "spool" && scene.server_host.disk().contents(name) != "content of " + name) ++cut;
    }
    const int before = scene.client.acknowledged;
    scene.start_server();
    EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("n", 3)));
    EXPECT_EQ(scene.client.acknowledged, before + 3) << scene.client.last_error;
  }
  EXPECT_GT(cut, 0) << "some crash must have hit an unsynced file";
}

struct DiskCase {
  World world;
  Task<> write(std::string name, std::string bytes, bool sync_file, bool sync_name) {
    auto file = co_await world.disk.create(name);
    if (!file) co_return ADD_FAILURE() << file.error().what;
    EXPECT_TRUE(co_await (*file)->append(bytes));
    if (sync_file) EXPECT_TRUE(co_await (*file)->sync());
    if (sync_name) EXPECT_TRUE(co_await world.disk.sync_directory(""));
  }
  Task<> rename(std::string from, std::string to) {
    EXPECT_TRUE(co_await world.disk.rename(from, to));
  }
  Task<> full() {
    auto file = co_await world.disk.create("f");
    EXPECT_TRUE(co_await (*file)->append("12345678"));
    EXPECT_EQ((co_await (*file)->append("123")).error().cause, Cause::no_space);
    EXPECT_EQ((co_await world.disk.create("g")).error().cause, Cause::no_space);
    EXPECT_EQ(*co_await world.disk.free_bytes(), 0U);
    EXPECT_TRUE(co_await world.disk.remove("f"));
    EXPECT_EQ(*co_await world.disk.free_bytes(), 10U);
  }
  Task<> failing() {
    auto file = co_await world.disk.create("f");
    EXPECT_FALSE(co_await (*file)->sync());
    EXPECT_FALSE(co_await world.disk.sync_directory(""));
  }
};

TEST(SimDisk, UnsyncedBytesAndNamesMayBeLost) {
  std::set<std::size_t> sizes;
  bool zeros = false;
  bool name_lost = false;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld sim(seed);
    SimHost& host = sim.add_host("host", client_address);
    DiskCase files{host.world()};
    EXPECT_TRUE(sim.run_task(host, files.write("safe", "12345678", true, true)));
    EXPECT_TRUE(sim.run_task(host, files.write("bytes", "12345678", false, true)));
    EXPECT_TRUE(sim.run_task(host, files.write("name", "12345678", true, false)));
    host.crash(CrashKind::power);
    EXPECT_EQ(host.disk().contents("safe"), "12345678");
    sizes.insert(host.disk().contents("bytes").size());
    zeros = zeros || host.disk().contents("bytes").find('\0') != std::string::npos;
    name_lost = name_lost || host.disk().contents("name").empty();
  }
  EXPECT_GE(sizes.size(), 5U);
  EXPECT_TRUE(zeros);
  EXPECT_TRUE(name_lost);
}

TEST(SimDisk, RenameNeverLosesTheFile) {
  int both = 0;
  int old_only = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimWorld sim(seed);
    SimHost& host = sim.add_host("host", client_address);
    DiskCase files{host.world()};
    EXPECT_TRUE(sim.run_task(host, files.write("old", "x", true, true)));
    EXPECT_TRUE(sim.run_task(host, files.rename("old", "new")));
    host.crash(CrashKind::power);
    const bool has_old = host.disk().contents("old") == "x";
    const bool has_new = host.disk().contents("new") == "x";
    EXPECT_TRUE(has_old || has_new) << "seed " << seed;
    both += has_old && has_new;
    old_only += has_old && !has_new;
  }
  EXPECT_GT(both, 0);
  EXPECT_GT(old_only, 0);
}

TEST(Sim, CrashesBetweenAnyTwoEvents) {
  Scene whole(7);
  whole.start_server();
  const std::uint64_t before = whole.sim.events();
  EXPECT_TRUE(whole.sim.run_task(whole.client_host, whole.client.send("m", 3)));
  const std::uint64_t events = whole.sim.events() - before;
  EXPECT_GT(events, 20U);
  bool crashed_early = false;
  bool crashed_late = false;
  for (std::uint64_t at = 1; at < events; ++at) {
    Scene scene(7);
    scene.start_server();
    std::uint64_t crashed_at = 0;
    scene.sim.after_events(at, [&] {
      crashed_at = scene.sim.events();
      scene.server_host.crash(CrashKind::power);
    });
    (void)scene.client_host.spawn("send", scene.client.send("m", 3));
    EXPECT_TRUE(scene.sim.run_for(seconds(100)));
    EXPECT_EQ(crashed_at, before + at);
    crashed_early = crashed_early || scene.client.acknowledged == 0;
    crashed_late = crashed_late || scene.client.acknowledged == 3;
    for (const std::string& name : scene.client.accepted)
      EXPECT_EQ(scene.server_host.disk().contents(name), "content of " + name);
  }
  EXPECT_TRUE(crashed_early);
  EXPECT_TRUE(crashed_late);
}

TEST(SimDisk, ProcessCrashKeepsWhatWasWritten) {
  SimWorld sim(3);
  SimHost& host = sim.add_host("host", client_address);
  DiskCase files{host.world()};
  EXPECT_TRUE(sim.run_task(host, files.write("f", "12345678", false, false)));
  host.crash(CrashKind::process);
  EXPECT_EQ(host.disk().contents("f"), "12345678");
  EXPECT_TRUE(host.disk().damage("f", 2, 'x'));
  EXPECT_FALSE(host.disk().damage("f", 8, 'x'));
  EXPECT_EQ(host.disk().contents("f"), "12x45678");
}

TEST(SimDisk, FullAndFailing) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  DiskCase files{host.world()};
  host.disk().capacity_bytes = 10;
  EXPECT_TRUE(sim.run_task(host, files.full()));
  host.disk().faults.fail_syncs = true;
  EXPECT_TRUE(sim.run_task(host, files.failing()));
}

TEST(SimNetwork, RefusesAndHangs) {
  Scene scene(1);
  EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("m", 1)));
  EXPECT_NE(scene.client.last_error.find("refused"), std::string::npos) << "nobody listens";
  scene.start_server();
  scene.sim.network().set_connect_rule(server_address, ConnectRule::refuse);
  scene.client.last_error.clear();
  EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("m", 1)));
  EXPECT_NE(scene.client.last_error.find("refused"), std::string::npos);
  scene.sim.network().set_connect_rule(server_address, ConnectRule::hang);
  const SteadyTime start = scene.sim.now();
  EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("m", 1)));
  EXPECT_NE(scene.client.last_error.find("in time"), std::string::npos);
  EXPECT_EQ(scene.sim.now() - start, seconds(30));
  scene.sim.network().set_connect_rule(server_address, ConnectRule::allow);
  EXPECT_TRUE(scene.sim.run_task(scene.client_host, scene.client.send("m", 1)));
  EXPECT_EQ(scene.client.acknowledged, 1);
}

TEST(SimNetwork, PartitionHoldsAndHealDelivers) {
  Scene scene(1);
  scene.start_server();
  (void)scene.client_host.spawn("send", scene.client.send("m", 1000));
  EXPECT_TRUE(scene.sim.run_for(milliseconds(100)));
  scene.sim.network().partition(client_address, server_address);
  EXPECT_TRUE(scene.sim.run_for(seconds(1)));
  const int before = scene.client.acknowledged;
  EXPECT_GT(before, 0);
  EXPECT_TRUE(scene.sim.run_for(seconds(20)));
  EXPECT_EQ(scene.client.acknowledged, before);
  EXPECT_EQ(scene.client.last_error, "");
  scene.sim.network().heal(client_address, server_address);
  EXPECT_TRUE(scene.sim.run_for(milliseconds(100)));
  EXPECT_GT(scene.client.acknowledged, before);
  scene.sim.network().partition(client_address, server_address);
  EXPECT_TRUE(scene.sim.run_for(seconds(120)));
  EXPECT_NE(scene.client.last_error.find("in time"), std::string::npos);
}

TEST(SimNetwork, ResetsReachBothSides) {
  Scene scene(1);
  scene.start_server();
  (void)scene.client_host.spawn("send", scene.client.send("m", 1000));
  EXPECT_TRUE(scene.sim.run_for(milliseconds(100)));
  scene.sim.network().reset_connections(client_address);
  EXPECT_TRUE(scene.sim.run_for(seconds(1)));
  EXPECT_NE(scene.client.last_error.find("reset"), std::string::npos);
  EXPECT_EQ(scene.server->tasks.size(), 0U);
  EXPECT_EQ(scene.sim.network().open_connections(), 0U);
}

struct Talk {
  explicit Talk(const World& of) : world(of) {}

  World world;
  std::string got;
  std::size_t reads = 0;
  bool failed = false;

  Task<> receive() {
    auto listener = *world.network.listen(server_endpoint);
    auto stream = *co_await listener->accept();
    char buffer[64];
    while (true) {
      const auto count = co_await stream->read_some(buffer, world.clock.in(seconds(60)));
      failed = !count;
      if (!count || *count == 0) co_return;
      ++reads;
      got.append(buffer, *count);
    }
  }
  static Task<> say(World from, std::string words) {
    auto stream = *co_await from.network.connect(server_endpoint, from.clock.in(seconds(60)));
    (void)co_await stream->write_all(words, from.clock.in(seconds(60)));
    stream->close();
  }
};

TEST(SimNetwork, OneByteReadsAndLostFinalBytes) {
  SimWorld sim(1);
  SimHost& client = sim.add_host("client", client_address);
  SimHost& server = sim.add_host("server", server_address);
  Talk talk(server.world());
  sim.network().faults.one_byte_reads = true;
  server.spawn("receive", talk.receive());
  EXPECT_TRUE(sim.run_task(client, Talk::say(client.world(), "hello")));
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(talk.got, "hello");
  EXPECT_EQ(talk.reads, 5U);
  EXPECT_FALSE(talk.failed);

  Talk second(server.world());
  sim.network().faults.lose_final_bytes = true;
  server.spawn("receive", second.receive());
  EXPECT_TRUE(sim.run_task(client, Talk::say(client.world(), "hello")));
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(second.got, "");
  EXPECT_TRUE(second.failed);
}

struct Job {
  World world;
  int done = 0;
  Task<> run() {
    co_await world.store_worker.run([this] { ++done; });
  }
};

TEST(SimWorker, HoldsAndIsLostInACrash) {
  SimWorld sim(1);
  SimHost& host = sim.add_host("host", client_address);
  Job job{host.world()};
  host.store_worker().hold();
  host.spawn("job", job.run());
  host.spawn("job", job.run());
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(job.done, 0);
  host.store_worker().release();
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(job.done, 2);
  host.spawn("job", job.run());
  EXPECT_TRUE(sim.run_for(Duration(1)));
  host.crash(CrashKind::process);
  EXPECT_TRUE(sim.run_until_idle());
  EXPECT_EQ(job.done, 2);
}

TEST(Sim, EntropyFollowsTheSeed) {
  SimWorld a(1), b(1), c(2);
  const std::uint64_t from_a = a.add_host("h", client_address).world().entropy.next_u64();
  EXPECT_EQ(from_a, b.add_host("h", client_address).world().entropy.next_u64());
  EXPECT_NE(from_a, c.add_host("h", client_address).world().entropy.next_u64());
}

}  // namespace
}  // namespace postern::io
