// Every case of unknown-ip.toml against the real resolver, with a DNS server on loopback that plays
// the case's script; and, where the zone alone tells everything, against the fake resolver, which
// has to agree. `--serve` keeps the servers of all cases running instead, for others to ask.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <set>

#include "case_file.h"
#include "dns/unbound_resolver.h"
#include "dns/zone_resolver.h"
#include "io/real/real_descriptors.h"
#include "io/real/shard.h"
#include "io/sim/sim_world.h"
#include "policy/unknown_ip.h"
#include "support/source_path.h"

namespace postern::conformance {
namespace {

using namespace std::chrono_literals;
using policy::UnknownIpState;
using policy::UnknownIpVerdict;

/// Silence ends with the check's deadline. Everything else has an end of its own, and gets the time
/// that a busy machine may need.
constexpr Duration patience_for_silence = 3s;
constexpr Duration patience_for_answers = 50s;
/// A TTL counts down while a busy machine is slow.
constexpr std::uint32_t ttl_slack_seconds = 20;

const std::vector<Case>& cases() {
  static const std::vector<Case> read = [] {
    auto result = read_cases(source_path("tests/conformance/unknown-ip.toml"));
    if (result) return *std::move(result);
    std::cerr << result.error().what << '\n';
    std::abort();
  }();
  return read;
}

policy::UnknownIpOptions options_for(const Case& c) {
  policy::UnknownIpOptions options;
  options.mode = policy::UnknownIpMode::enforce;
  options.deadline = c.silent ? patience_for_silence : patience_for_answers;
  return options;
}

/// Number and text of the reply that the default configuration gives.
std::string expected_reply(const Case& c, const std::string& case_id) {
  const std::string client = IpAddress::parse(c.client).value().text();
  if (c.state == "pass" || c.state == "skipped") return "";
  if (c.state == "temperror")
    return fmt::format(
        "451 4.7.25 Client host not verified: DNS lookup for [{}] did not complete, try again "
        "later (case {})",
        client, case_id);
  return fmt::format(
      "450 4.7.25 Client host rejected: cannot find your hostname, [{}]: {} (case {})", client,
      c.cause, case_id);
}

void expect_right(const Case& c, const UnknownIpVerdict& verdict, const std::string& over) {
  const auth::Iprev& lookups = *verdict.iprev;
  SCOPED_TRACE(fmt::format("case {}, over the {} resolver", c.id, over));
  EXPECT_EQ(policy::state_name(verdict.state), c.state);
  EXPECT_EQ(verdict.skipped_because, c.because);
  EXPECT_EQ(lookups.confirmed_name, c.confirmed);
  EXPECT_EQ(lookups.secure, c.secure);
  if (!c.silent) EXPECT_LT(lookups.took, patience_for_answers) << "ended by its deadline only";
  EXPECT_EQ(verdict.reply, expected_reply(c, verdict.case_id));
  if (!c.ttl_seconds) return;
  EXPECT_LE(lookups.ttl_seconds, *c.ttl_seconds);
  EXPECT_GE(lookups.ttl_seconds + ttl_slack_seconds, *c.ttl_seconds);
}

/// One check through the whole option: start, wait, stop.
io::Task<> judge(policy::UnknownIpCheck& check, dns::Resolver& resolver, const std::string& client,
                 UnknownIpVerdict& verdict) {
  const auto pending = check.start(IpAddress::parse(client).value());
  verdict = *co_await pending->verdict();
  resolver.stop();
  co_await check.stop();
}

/// A case with its own server, resolver and option, so that nothing is shared but the shard.
class Stage {
 public:
  Stage(const Case& played, const io::World& world, const std::filesystem::path& directory)
      : case_(played),
        server_(world.executor, played.script, world.clock.wall_now()),
        descriptors_(world.executor) {
    dns::UnboundOptions options;
    options.cache_bytes_max = std::size_t{1} << 20;
    options.sockets_max = 64;
    if (case_.iterative)
      for (const char* zone : {"in-addr.arpa", "example.com"})
        options.stub_zones.push_back({zone, {server_.local()}});
    else
      options.forwarders.push_back(server_.local());
    if (!case_.script.signed_zones.empty()) {
      options.trust_anchor_file = directory / (case_.id + ".key");
      std::ofstream(options.trust_anchor_file) << server_.trust_anchors();
    }
    auto resolver = dns::UnboundResolver::create(world.clock, descriptors_, std::move(options));
    if (!resolver) {
      ADD_FAILURE() << case_.id << ": " << resolver.error().what;
      return;
    }
    resolver_ = *std::move(resolver);
    check_.emplace(world, *resolver_, options_for(case_));
  }

  io::Task<> play() {
    if (check_) co_await judge(*check_, *resolver_, case_.client, verdict_);
  }
  void expect_right() const { conformance::expect_right(case_, verdict_, "real"); }

 private:
  const Case& case_;
  dns::ScriptedServer server_;
  io::RealDescriptors descriptors_;
  std::unique_ptr<dns::UnboundResolver> resolver_;
  std::optional<policy::UnknownIpCheck> check_;
  UnknownIpVerdict verdict_;
};

/// A directory that ends with the test.
class Scratch {
 public:
  Scratch() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "postern-conformance-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

io::Task<> play_all(io::TaskGroup& group, std::vector<std::unique_ptr<Stage>>& stages) {
  for (const auto& stage : stages) EXPECT_TRUE(group.spawn("case", stage->play()));
  co_await group.join();
}

TEST(Conformance, FileIsWhole) {
  std::set<std::string> ids;
  for (const Case& c : cases()) {
    EXPECT_TRUE(ids.insert(c.id).second) << c.id << " is there twice";
    EXPECT_TRUE(IpAddress::parse(c.client).has_value()) << c.id;
  }
  EXPECT_GE(cases().size(), 80U);
}

TEST(Conformance, OverTheRealResolver) {
  const Scratch scratch;
  auto shard = io::RealShard::create({.directory = scratch.path()});
  ASSERT_TRUE(shard.has_value()) << shard.error().what;
  const io::World world = (*shard)->world();
  io::TaskGroup group(world.executor, world.clock, cases().size());
  std::vector<std::unique_ptr<Stage>> stages;
  for (const Case& c : cases()) stages.push_back(std::make_unique<Stage>(c, world, scratch.path()));
  ASSERT_TRUE((*shard)->run_task(play_all(group, stages), patience_for_answers + 5s));
  for (const auto& stage : stages) stage->expect_right();
  stages.clear();
}

TEST(Conformance, OverTheZoneResolver) {
  for (const Case& c : cases()) {
    if (!c.is_plain()) continue;
    io::SimWorld sim(1);
    io::SimHost& host = sim.add_host("mx", *IpAddress::parse("192.0.2.250"));
    dns::ZoneResolver resolver(host.world().clock, c.script.zone);
    policy::UnknownIpCheck check(host.world(), resolver, options_for(c));
    UnknownIpVerdict verdict;
    ASSERT_TRUE(sim.run_task(host, judge(check, resolver, c.client, verdict))) << c.id;
    expect_right(c, verdict, "fake");
  }
}

/// Prints "case ID PORT" for each case and "anchor LINE" for each key, then serves until it is
/// ended.
int serve() {
  const Scratch scratch;
  auto shard = io::RealShard::create({.directory = scratch.path()});
  if (!shard) return EXIT_FAILURE;
  const io::World world = (*shard)->world();
  std::vector<std::unique_ptr<dns::ScriptedServer>> servers;
  std::set<std::string> anchors;
  for (const Case& c : cases()) {
    dns::ServerScript script = c.script;
    script.authoritative = false;  // whoever asks is a forwarder
    servers.push_back(std::make_unique<dns::ScriptedServer>(world.executor, std::move(script),
                                                            world.clock.wall_now()));
    std::cout << "case " << c.id << ' ' << servers.back()->local().port << '\n';
    if (!c.script.signed_zones.empty()) anchors.insert(servers.back()->trust_anchors());
  }
  for (const std::string& anchor : anchors) std::cout << anchor;
  std::cout << "ready" << std::endl;
  (*shard)->run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace postern::conformance

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--serve") return postern::conformance::serve();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
