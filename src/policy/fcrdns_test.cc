// What the check makes of one client after the other, over the fake resolver in virtual time and
// over the real one with a DNS server on loopback: both must come to the same. The cases are our
// own table and, where they lie beside the source, those of the corpora.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include <boost/json/parse.hpp>

#include "auth/iprev.h"
#include "dns/fake_resolver.h"
#include "dns/testing/scripted_server.h"
#include "dns/unbound_resolver.h"
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

std::vector<Case> own_cases() {
  const std::string v4 = "192.0.2.1";
  const std::string v6 = "2001:db8::25";
  const std::string good = "good.example A 192.0.2.1\n";
  const std::string other = "other.example A 198.51.100.1\n";
  const std::string silent = "silent.example A TIMEOUT\n";
  const auto ptr = [](std::initializer_list<const char*> names) {
    std::string text;
    for (const char* name : names) text += fmt::format("[192.0.2.1] PTR {}\n", name);
    return text;
  };
  const auto ptr6 = [](const char* name) { return fmt::format("[2001:db8::25] PTR {}\n", name); };
  return {
      {"v4 confirmed", v4, ptr({"good.example"}) + good, {pass}, "good.example"},
      {"v4 as v6", "::ffff:192.0.2.1", ptr({"good.example"}) + good, {pass}, "good.example"},
      {"v6 confirmed",
       v6,
       ptr6("six.example") + "six.example AAAA 2001:db8::25\n",
       {pass},
       "six.example"},
      {"upper case", v4, ptr({"GOOD.Example"}) + good, {pass}, "good.example"},
      {"several addresses",
       v4,
       ptr({"good.example"}) + good + "good.example A 198.51.100.1\n",
       {pass},
       "good.example"},
      {"forward alias",
       v4,
       ptr({"alias.example"}) + good + "alias.example CNAME good.example\n",
       {pass},
       "alias.example"},
      {"reverse alias",
       v4,
       "[192.0.2.1] CNAME 1.0-63.2.0.192.in-addr.arpa\n1.0-63.2.0.192.in-addr.arpa PTR "
       "good.example\n" +
           good,
       {pass},
       "good.example"},
      {"wildcard",
       v4,
       ptr({"any.wild.example"}) + "*.wild.example A 192.0.2.1\n",
       {pass},
       "any.wild.example"},
      {"underscore",
       v4,
       ptr({"mail_1.example"}) + "mail_1.example A 192.0.2.1\n",
       {pass},
       "mail_1.example"},
      {"last of three",
       v4,
       ptr({"a.example", "other.example", "z.example"}) + other + "z.example A 192.0.2.1\n",
       {pass},
       "z.example"},
      {"missing, then confirmed",
       v4,
       ptr({"gone.example", "good.example"}) + good,
       {pass},
       "good.example"},
      {"broken, then confirmed",
       v4,
       ptr({"broken.example", "good.example"}) + good + "broken.example SERVFAIL\n",
       {pass},
       "good.example"},
      {"silent, yet confirmed",
       v4,
       ptr({"silent.example", "good.example"}) + good + silent,
       {pass},
       "good.example"},
      {"no host name, then confirmed",
       v4,
       ptr({"localhost", "good.example"}) + good,
       {pass},
       "good.example"},
      {"reverse NXDOMAIN", v4, "[192.0.2.1] NXDOMAIN\n", {no_ptr}, ""},
      {"reverse NODATA", v4, "[192.0.2.1] NODATA\n", {no_ptr}, ""},
      {"v6 reverse NXDOMAIN", v6, "[2001:db8::26] PTR six.example\n", {no_ptr}, ""},
      {"reverse alias to nothing", v4, "[192.0.2.1] CNAME gone.example\n", {no_ptr}, ""},
      {"single label", v4, ptr({"localhost"}) + "localhost A 192.0.2.1\n", {bad_name}, ""},
      {"root", v4, ptr({"."}), {bad_name}, ""},
      {"an address", v4, ptr({"192.0.2.1"}) + "192.0.2.1 A 192.0.2.1\n", {bad_name}, ""},
      {"illegal bytes",
       v4,
       ptr({"a\\032b.example"}) + "a\\032b.example A 192.0.2.1\n",
       {bad_name},
       ""},
      {"only bad names", v4, ptr({"-a.example", "b"}), {bad_name}, ""},
      {"forward NXDOMAIN", v4, ptr({"gone.example"}), {no_forward}, ""},
      {"forward NODATA",
       v4,
       ptr({"six.example"}) + "six.example AAAA 2001:db8::1\n",
       {no_forward},
       ""},
      {"v6 client, name with v4 only", v6, ptr6("good.example") + good, {no_forward}, ""},
      {"forward alias to nothing",
       v4,
       ptr({"alias.example"}) + "alias.example CNAME gone.example\n",
       {no_forward},
       ""},
      {"all names missing", v4, ptr({"a.example", "b.example"}), {no_forward}, ""},
      {"another address", v4, ptr({"other.example"}) + other, {mismatch}, ""},
      {"neighbour", v4, ptr({"near.example"}) + "near.example A 192.0.2.2\n", {mismatch}, ""},
      {"v6 another address",
       v6,
       ptr6("six.example") + "six.example AAAA 2001:db8::26\n",
       {mismatch},
       ""},
      {"missing and another", v4, ptr({"gone.example", "other.example"}) + other, {mismatch}, ""},
      {"no host name and another", v4, ptr({"localhost", "other.example"}) + other, {mismatch}, ""},
      {"reverse SERVFAIL", v4, "[192.0.2.1] SERVFAIL\n", {temp_error}, ""},
      {"reverse REFUSED", v4, "[192.0.2.1] REFUSED\n", {temp_error}, ""},
      {"reverse silent", v4, "[192.0.2.1] TIMEOUT\n", {temp_error}, ""},
      {"v6 reverse SERVFAIL", v6, "[2001:db8::25] SERVFAIL\n", {temp_error}, ""},
      {"forward SERVFAIL",
       v4,
       ptr({"broken.example"}) + "broken.example SERVFAIL\n",
       {temp_error},
       ""},
      {"forward silent", v4, ptr({"silent.example"}) + silent, {temp_error}, ""},
      {"missing and broken",
       v4,
       ptr({"gone.example", "broken.example"}) + "broken.example REFUSED\n",
       {temp_error},
       ""},
      {"another and silent",
       v4,
       ptr({"other.example", "silent.example"}) + other + silent,
       {temp_error},
       ""},
      {"forward alias loop",
       v4,
       ptr({"a.example"}) + "a.example CNAME b.example\nb.example CNAME a.example\n",
       {temp_error},
       ""},
  };
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
  EXPECT_EQ(verdict.iprev.confirmed_name, expected.confirmed) << where;
  const bool passes = expected.states.front() == pass;
  const bool undetermined = expected.states.front() == temp_error;
  EXPECT_EQ(auth::iprev_result_word(verdict.iprev.result), passes         ? "pass"
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

TEST(Fcrdns, OverTheFakeResolver) {
  for (const Case& c : all_cases()) {
    const auto zone = dns::Zone::parse(c.zone);
    ASSERT_TRUE(zone.has_value()) << c.id << ": " << zone.error().what;
    io::SimWorld sim(1);
    io::SimHost& host = sim.add_host("mx", *IpAddress::parse("192.0.2.250"));
    dns::FakeResolver resolver(host.world().clock, *zone);
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
    const bool waits = c.zone.find("TIMEOUT") != std::string::npos && c.states.front() != pass;
    UnknownIpCheck check(world, **resolver, enforcing(waits ? 1s : 30s));
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
