// What the check makes of the clients of tests/corpus/fcrdns, over the fake resolver in virtual
// time and over the real one with a DNS server on loopback: both must come to the same. More cases
// are in tests/conformance.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include <boost/json/parse.hpp>

#include "auth/iprev.h"
#include "dns/testing/scripted_server.h"
#include "dns/unbound_resolver.h"
#include "dns/zone_resolver.h"
#include "io/real/real_descriptors.h"
#include "io/real/shard.h"
#include "io/sim/sim_world.h"
#include "policy/unknown_ip.h"
#include "support/source_path.h"

namespace postern::policy {
namespace {

using namespace std::chrono_literals;

struct Case {
  std::string id;
  std::string client;
  std::string zone;
  std::vector<UnknownIpState> states;  ///< any of them is right
  std::string confirmed;               ///< for pass
};

constexpr auto pass = UnknownIpState::pass;
constexpr auto no_ptr = UnknownIpState::no_ptr;
constexpr auto bad_name = UnknownIpState::bad_name;
constexpr auto no_forward = UnknownIpState::no_forward;
constexpr auto mismatch = UnknownIpState::mismatch;
constexpr auto temp_error = UnknownIpState::temp_error;

/// The class that the corpus calls `why`.
std::vector<UnknownIpState> states_of(std::string_view why) {
  if (why == "ok") return {pass};
  if (why == "no-ptr") return {no_ptr};
  if (why == "name-not-found") return {bad_name, no_forward};
  if (why == "mismatch") return {mismatch};
  if (why == "ptr-temporary" || why == "forward-temporary") return {temp_error};
  return {};
}

std::string zone_line(std::string_view name, std::string_view type, std::string_view value) {
  const bool is_name = type == "PTR" || type == "CNAME";
  return fmt::format("{} {} {}{}\n", name, type, value, is_name && value != "." ? "." : "");
}

std::string zone_of(const boost::json::object& dns) {
  std::string zone;
  for (const auto& [name, types] : dns)
    for (const auto& [type, values] : types.as_object()) {
      if (values.is_string())
        zone += fmt::format("{} {} {}\n", std::string_view(name), std::string_view(type),
                            std::string_view(values.as_string()));
      else
        for (const auto& value : values.as_array())
          zone += zone_line(name, type, value.as_string());
    }
  return zone;
}

std::vector<Case> corpus_cases() {
  std::ifstream file(source_path("tests/corpus/fcrdns/vectors.json"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<Case> cases;
  const boost::json::value all = boost::json::parse(text);
  for (const auto& value : all.at("cases").as_array()) {
    const auto& names = value.at("names").as_array();
    cases.push_back({.id = std::string(value.at("id").as_string()),
                     .client = std::string(value.at("ip").as_string()),
                     .zone = zone_of(value.at("dns").as_object()),
                     .states = states_of(value.at("why").as_string()),
                     .confirmed = names.empty() ? "" : std::string(names.at(0).as_string())});
  }
  return cases;
}

/// One check through the whole option: start, wait, stop.
io::Task<> judge(UnknownIpCheck* check, dns::Resolver* resolver, std::string client,
                 UnknownIpVerdict* verdict) {
  const auto pending = check->start(IpAddress::parse(client).value());
  *verdict = *co_await pending->verdict();
  resolver->stop();
  co_await check->stop();
}

void expect_right(const Case& expected, const UnknownIpVerdict& verdict, const char* over) {
  const std::string where = fmt::format("{}, over the {} resolver", expected.id, over);
  ASSERT_FALSE(expected.states.empty()) << where;
  EXPECT_NE(std::ranges::find(expected.states, verdict.state), expected.states.end())
      << where << ": " << state_name(verdict.state);
  EXPECT_EQ(verdict.iprev->confirmed_name, expected.confirmed) << where;
  const bool passes = expected.states.front() == pass;
  const bool undetermined = expected.states.front() == temp_error;
  EXPECT_EQ(auth::iprev_result_word(verdict.iprev->result), passes         ? "pass"
                                                            : undetermined ? "temperror"
                                                                           : "fail")
      << where;
  const std::string_view code = passes ? "" : undetermined ? "451 4.7.25 " : "450 4.7.25 ";
  EXPECT_EQ(verdict.reply.substr(0, code.size()), code) << where;
  EXPECT_EQ(verdict.reply.empty(), passes) << where;
}

UnknownIpOptions enforcing(Duration deadline) {
  UnknownIpOptions options;
  options.mode = UnknownIpMode::enforce;
  options.deadline = deadline;
  return options;
}

TEST(Fcrdns, OverTheZoneResolver) {
  const std::vector<Case> cases = corpus_cases();
  ASSERT_GE(cases.size(), 16U);
  for (const Case& c : cases) {
    const auto zone = dns::Zone::parse(c.zone);
    ASSERT_TRUE(zone.has_value()) << c.id << ": " << zone.error().what;
    io::SimWorld sim(1);
    io::SimHost& host = sim.add_host("mx", *IpAddress::parse("192.0.2.250"));
    dns::ZoneResolver resolver(host.world().clock, *zone);
    UnknownIpCheck check(host.world(), resolver, enforcing(8s));
    UnknownIpVerdict verdict;
    ASSERT_TRUE(sim.run_task(host, judge(&check, &resolver, c.client, &verdict))) << c.id;
    expect_right(c, verdict, "fake");
  }
}

TEST(Fcrdns, OverTheRealResolver) {
  const std::vector<Case> cases = corpus_cases();
  ASSERT_GE(cases.size(), 16U);
  std::string directory =
      (std::filesystem::temp_directory_path() / "postern-fcrdns-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (const Case& c : cases) {
    auto shard = io::RealShard::create({.directory = directory});
    ASSERT_TRUE(shard.has_value()) << shard.error().what;
    const io::World world = (*shard)->world();
    dns::ScriptedServer server(world.executor, dns::Zone::parse(c.zone).value());
    io::RealDescriptors descriptors(world.executor);
    auto resolver =
        dns::UnboundResolver::create(world.clock, descriptors, {.forwarders = {server.local()}});
    ASSERT_TRUE(resolver.has_value()) << resolver.error().what;
    // Silence is met with patience enough for a busy machine, and no more.
    const Duration deadline = c.states.front() == temp_error ? 2s : 30s;
    UnknownIpCheck check(world, **resolver, enforcing(deadline));
    UnknownIpVerdict verdict;
    ASSERT_TRUE((*shard)->run_task(judge(&check, resolver->get(), c.client, &verdict), 60s))
        << c.id;
    expect_right(c, verdict, "real");
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace postern::policy
