// What the check makes of one client after the other, over the fake resolver in virtual time and
// over the real one with a DNS server on loopback: both must come to the same. The cases are our
// own table and, where they lie beside the source, those of the corpora.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>

#include <boost/json/parse.hpp>

#include "auth/iprev.h"
#include "dns/testing/scripted_server.h"
#include "dns/unbound_resolver.h"
#include "dns/zone_resolver.h"
#include "io/real/real_descriptors.h"
#include "io/real/shard.h"
#include "io/sim/sim_world.h"
#include "policy/unknown_ip.h"

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

constexpr const char* v4 = "192.0.2.1";
constexpr const char* v6 = "2001:db8::25";

/// Names that the table below speaks of.
constexpr std::string_view common_zone =
    "good.example A 192.0.2.1\n"
    "other.example A 198.51.100.1\n"
    "near.example A 192.0.2.2\n"
    "six.example AAAA 2001:db8::25\n"
    "seven.example AAAA 2001:db8::26\n"
    "silent.example TIMEOUT\n"
    "broken.example SERVFAIL\n"
    "lame.example REFUSED\n"
    "alias.example CNAME good.example\n"
    "dangling.example CNAME gone.example\n"
    "loop.example CNAME pool.example\n"
    "pool.example CNAME loop.example\n"
    "*.wild.example A 192.0.2.1\n"
    "mail_1.example A 192.0.2.1\n"
    "localhost A 192.0.2.1\n"
    "192.0.2.1 A 192.0.2.1\n"
    "a\\032b.example A 192.0.2.1\n";

struct Row {
  const char* id;
  const char* client;
  const char* ptr_names;  ///< of the client; several are separated by spaces
  UnknownIpState state;
  const char* confirmed = "";
  const char* zone = "";  ///< more lines
};

const Row rows[] = {
    {"v4 confirmed", v4, "good.example", pass, "good.example"},
    {"v4 as v6", "::ffff:192.0.2.1", "good.example", pass, "good.example"},
    {"v6 confirmed", v6, "six.example", pass, "six.example"},
    {"upper case", v4, "GOOD.Example", pass, "good.example"},
    {"several addresses", v4, "good.example", pass, "good.example",
     "good.example A 198.51.100.1\ngood.example A 198.51.100.2\n"},
    {"forward alias", v4, "alias.example", pass, "alias.example"},
    {"reverse alias", v4, "", pass, "good.example",
     "[192.0.2.1] CNAME 1.0-63.2.0.192.in-addr.arpa\n"
     "1.0-63.2.0.192.in-addr.arpa PTR good.example\n"},
    {"wildcard", v4, "any.wild.example", pass, "any.wild.example"},
    {"underscore", v4, "mail_1.example", pass, "mail_1.example"},
    {"last of three", v4, "gone.example other.example z.example", pass, "z.example",
     "z.example A 192.0.2.1\n"},
    {"missing, then confirmed", v4, "gone.example good.example", pass, "good.example"},
    {"broken, then confirmed", v4, "broken.example good.example", pass, "good.example"},
    {"silent, yet confirmed", v4, "silent.example good.example", pass, "good.example"},
    {"no host name, then confirmed", v4, "localhost good.example", pass, "good.example"},
    {"reverse NXDOMAIN", v4, "", no_ptr, "", "[192.0.2.1] NXDOMAIN\n"},
    {"reverse NODATA", v4, "", no_ptr, "", "[192.0.2.1] NODATA\n"},
    {"v6 reverse NXDOMAIN", v6, "", no_ptr},
    {"reverse alias to nothing", v4, "", no_ptr, "", "[192.0.2.1] CNAME gone.example\n"},
    {"single label", v4, "localhost", bad_name},
    {"root", v4, ".", bad_name},
    {"an address", v4, "192.0.2.1", bad_name},
    {"illegal bytes", v4, "a\\032b.example", bad_name},
    {"only bad names", v4, "-a.example b", bad_name},
    {"forward NXDOMAIN", v4, "gone.example", no_forward},
    {"forward NODATA", v4, "six.example", no_forward},
    {"v6 client, name with v4 only", v6, "good.example", no_forward},
    {"forward alias to nothing", v4, "dangling.example", no_forward},
    {"all names missing", v4, "gone.example lost.example", no_forward},
    {"another address", v4, "other.example", mismatch},
    {"neighbour", v4, "near.example", mismatch},
    {"v6 another address", v6, "seven.example", mismatch},
    {"missing and another", v4, "gone.example other.example", mismatch},
    {"no host name and another", v4, "localhost other.example", mismatch},
    {"reverse SERVFAIL", v4, "", temp_error, "", "[192.0.2.1] SERVFAIL\n"},
    {"reverse REFUSED", v4, "", temp_error, "", "[192.0.2.1] REFUSED\n"},
    {"reverse silent", v4, "", temp_error, "", "[192.0.2.1] TIMEOUT\n"},
    {"v6 reverse SERVFAIL", v6, "", temp_error, "", "[2001:db8::25] SERVFAIL\n"},
    {"forward SERVFAIL", v4, "broken.example", temp_error},
    {"forward silent", v4, "silent.example", temp_error},
    {"missing and lame", v4, "gone.example lame.example", temp_error},
    {"another and silent", v4, "other.example silent.example", temp_error},
    {"forward alias loop", v4, "loop.example", temp_error},
};

std::vector<Case> own_cases() {
  std::vector<Case> cases;
  for (const Row& row : rows) {
    std::string zone(common_zone);
    const IpAddress client = IpAddress::parse(row.client).value();
    std::istringstream names(row.ptr_names);
    for (std::string name; names >> name;)
      zone += fmt::format("[{}] PTR {}\n", client.text(), name);
    cases.push_back({.id = row.id,
                     .client = row.client,
                     .zone = zone + row.zone,
                     .states = {row.state},
                     .confirmed = row.confirmed});
  }
  return cases;
}

std::filesystem::path corpus_file() {
  const char* given = std::getenv("POSTERN_CORPORA");
  const std::filesystem::path corpora =
      given != nullptr ? given : std::filesystem::path(POSTERN_SOURCE_DIR) / "../shared/corpora";
  return corpora / "own-fcrdns/vectors.json";
}

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
  std::ifstream file(corpus_file());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<Case> cases;
  if (text.empty()) return cases;
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

std::vector<Case> all_cases() {
  std::vector<Case> cases = own_cases();
  std::ranges::move(corpus_cases(), std::back_inserter(cases));
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
  for (const Case& c : all_cases()) {
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
  std::string directory =
      (std::filesystem::temp_directory_path() / "postern-fcrdns-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (const Case& c : all_cases()) {
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

TEST(Fcrdns, CorpusIsReadWhereItIs) {
  if (!std::filesystem::exists(corpus_file())) {
    EXPECT_GE(own_cases().size(), 25U) << "our own table stands in";
    return;
  }
  EXPECT_GE(corpus_cases().size(), 16U);
}

}  // namespace
}  // namespace postern::policy
