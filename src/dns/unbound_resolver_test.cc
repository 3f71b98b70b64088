#include "dns/unbound_resolver.h"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>

#include "dns/testing/scripted_server.h"
#include "io/real/real_descriptors.h"
#include "io/real/shard.h"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view zone_text =
    "mail.example.com 120 A 192.0.2.1\n"
    "mail.example.com A 192.0.2.2\n"
    "mail.example.com AAAA 2001:db8::1\n"
    "example.com MX 10 mail.example.com\n"
    "example.com TXT \"v=spf1 -all\"\n"
    "null.example.com MX 0 .\n"
    "alias.example.com 30 CNAME second.example.com\n"
    "second.example.com CNAME mail.example.com\n"
    "dangling.example.com CNAME gone.example.com\n"
    "gone.example.com NXDOMAIN\n"
    "broken.example.com SERVFAIL\n"
    "lame.example.com REFUSED\n"
    "silent.example.com TIMEOUT\n"
    "[192.0.2.1] PTR mail.example.com\n"
    "[10.1.2.3] PTR inner.example.com\n"
    "[127.6.0.1] PTR loop.test\n"
    "loop.test A 127.6.0.1\n"
    "[fd00::1] PTR six.example.com\n"
    "[192.0.2.15] CNAME 15.0-63.2.0.192.in-addr.arpa\n"
    "15.0-63.2.0.192.in-addr.arpa PTR mail15.example.com\n";

/// A real shard, a scripted server and the real resolver that asks it.
class UnboundResolverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "postern-dns-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto shard = io::RealShard::create({.directory = directory_});
    ASSERT_TRUE(shard.has_value());
    shard_ = *std::move(shard);
    auto zone = Zone::parse(std::string(zone_text) + many_names());
    ASSERT_TRUE(zone.has_value()) << zone.error().what;
    server_ = std::make_unique<ScriptedServer>(shard_->world().executor, *std::move(zone));
    descriptors_ = std::make_unique<io::RealDescriptors>(shard_->world().executor);
    make_resolver({.forwarders = {server_->local()}});
  }

  void TearDown() override {
    resolver_.reset();
    descriptors_.reset();
    server_.reset();
    shard_.reset();
    std::filesystem::remove_all(directory_);
  }

  void make_resolver(UnboundOptions options) {
    auto resolver =
        UnboundResolver::create(shard_->world().clock, *descriptors_, std::move(options));
    ASSERT_TRUE(resolver.has_value()) << resolver.error().what;
    resolver_ = *std::move(resolver);
  }

  /// 30 PTR names of 60 bytes: more than a datagram holds.
  static std::string many_names() {
    std::string text;
    for (int i = 0; i < 30; ++i)
      text += fmt::format(
          "[192.0.2.30] PTR a-name-that-is-long-enough-to-fill-a-datagram-{:02}.example.com\n", i);
    return text;
  }

  static io::Task<> ask_into(Resolver* resolver, io::Clock* clock, std::string name, Type type,
                             Duration patience, Answer* answer) {
    *answer = co_await resolver->lookup(std::move(name), type, clock->in(patience));
  }
  Answer ask(std::string name, Type type, Duration patience = 10s) {
    Answer answer;
    EXPECT_TRUE(shard_->run_task(
        ask_into(resolver_.get(), &shard_->world().clock, std::move(name), type, patience, &answer),
        20s));
    return answer;
  }

  std::string directory_;
  std::unique_ptr<io::RealShard> shard_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<io::RealDescriptors> descriptors_;
  std::unique_ptr<UnboundResolver> resolver_;
};

TEST_F(UnboundResolverTest, TellsAnswersApart) {
  struct Case {
    const char* name;
    Type type;
    Status expected;
  };
  const Case cases[] = {
      {"mail.example.com", Type::a, Status::ok},
      {"MAIL.example.com", Type::aaaa, Status::ok},
      {"mail.example.com", Type::txt, Status::no_data},
      {"other.example.com", Type::a, Status::nx_domain},
      {"dangling.example.com", Type::a, Status::nx_domain},
      {"broken.example.com", Type::a, Status::serv_fail},
      {"lame.example.com", Type::a, Status::serv_fail},
      {"a..b", Type::a, Status::nx_domain},
      {"1.2.0.192.in-addr.arpa", Type::ptr, Status::ok},
      {"3.2.1.10.in-addr.arpa", Type::ptr, Status::ok},  // private: no built-in empty zone
      {"1.0.6.127.in-addr.arpa", Type::ptr, Status::ok},
      {"loop.test", Type::a, Status::ok},
      {"15.2.0.192.in-addr.arpa", Type::ptr, Status::ok},  // RFC 2317
  };
  for (const Case& c : cases)
    EXPECT_EQ(status_name(ask(c.name, c.type).status), status_name(c.expected)) << c.name;
  EXPECT_EQ(ask(IpAddress::parse("fd00::1")->reverse_name(), Type::ptr).names,
            std::vector<std::string>{"six.example.com"});
  EXPECT_EQ(resolver_->under_way(), 0U);
}

TEST_F(UnboundResolverTest, ReadsRecordsAndTtls) {
  const Answer a = ask("mail.example.com", Type::a);
  EXPECT_EQ(a.addresses.size(), 2U);
  EXPECT_LE(a.ttl_seconds, 120U);
  EXPECT_GE(a.ttl_seconds, 118U);
  EXPECT_FALSE(a.secure);
  const Answer alias = ask("alias.example.com", Type::a);
  EXPECT_EQ(alias.canonical_name, "mail.example.com");
  EXPECT_LE(alias.ttl_seconds, 30U) << "smallest along the chain";
  EXPECT_GT(alias.ttl_seconds, 0U);
  const Answer gone = ask("gone.example.com", Type::a);
  EXPECT_GT(gone.ttl_seconds, 0U) << "from the SOA";
  EXPECT_LE(gone.ttl_seconds, 60U);
  EXPECT_EQ(ask("example.com", Type::mx).mail_exchanges,
            (std::vector<Mx>{{10, "mail.example.com"}}));
  EXPECT_EQ(ask("null.example.com", Type::mx).mail_exchanges, (std::vector<Mx>{{0, ""}}));
  EXPECT_EQ(ask("example.com", Type::txt).texts, std::vector<std::string>{"v=spf1 -all"});
}

TEST_F(UnboundResolverTest, AsksOnceWhatItKnows) {
  EXPECT_FALSE(ask("mail.example.com", Type::a).cached);
  const auto questions = server_->udp_questions();
  EXPECT_TRUE(ask("mail.example.com", Type::a).cached);
  ask("gone.example.com", Type::a);
  const auto after_negative = server_->udp_questions();
  ask("gone.example.com", Type::a);
  EXPECT_EQ(server_->udp_questions(), after_negative) << "negative answers are kept too";
  EXPECT_EQ(after_negative, questions + 1);
}

TEST_F(UnboundResolverTest, TakesLongAnswersByTcp) {
  const Answer answer = ask("30.2.0.192.in-addr.arpa", Type::ptr);
  EXPECT_EQ(answer.names.size(), 30U);
  EXPECT_TRUE(std::ranges::is_sorted(answer.names));
  EXPECT_GE(server_->tcp_questions(), 1U);
}

TEST_F(UnboundResolverTest, GarbageIsNoAnswer) {
  server_->set_raw("garbage.example.com", "no DNS message at all");
  server_->set_raw("empty.example.com", "");
  // A response with the question's id that claims records and holds none.
  server_->set_raw("short.example.com", std::string("\x81\x80\0\1\0\5\0\0\0\0", 10));
  for (const char* name : {"garbage.example.com", "empty.example.com", "short.example.com"}) {
    const Answer answer = ask(name, Type::a, 1500ms);
    EXPECT_FALSE(is_determined(answer.status)) << name;
    EXPECT_TRUE(answer.addresses.empty());
  }
  EXPECT_EQ(ask("mail.example.com", Type::a).status, Status::ok) << "and others still get theirs";
}

TEST_F(UnboundResolverTest, SilenceEndsAtTheDeadline) {
  const SteadyTime before = shard_->world().clock.now();
  const Answer answer = ask("silent.example.com", Type::a, 300ms);
  const Duration took = shard_->world().clock.now() - before;
  EXPECT_EQ(answer.status, Status::timed_out);
  EXPECT_GE(took, 290ms);
  EXPECT_LT(took, 3s);
  EXPECT_EQ(ask("mail.example.com", Type::a).status, Status::ok) << "nobody else waits";
}

TEST_F(UnboundResolverTest, ComesBackWhenTheServerDoes) {
  server_->set_silent(true);
  EXPECT_FALSE(is_determined(ask("mail.example.com", Type::a, 1s).status));
  server_->set_silent(false);
  bool answered = false;
  for (int i = 0; i < 20 && !answered; ++i)
    answered = ask("mail.example.com", Type::a, 1s).status == Status::ok;
  EXPECT_TRUE(answered);
}

TEST_F(UnboundResolverTest, StubZonesHaveServersOfTheirOwn) {
  ServerScript internal{.zone = Zone::parse("[10.1.2.3] PTR host.internal.example\n"
                                            "host.example.com A 10.1.2.3\n")
                                    .value()};
  internal.authoritative = true;
  ScriptedServer authority(shard_->world().executor, std::move(internal), WallTime{});
  UnboundOptions options;
  options.forwarders = {server_->local()};
  options.stub_zones = {{"10.in-addr.arpa", {authority.local()}}};
  make_resolver(std::move(options));
  EXPECT_EQ(ask("3.2.1.10.in-addr.arpa", Type::ptr).names,
            std::vector<std::string>{"host.internal.example"});
  EXPECT_EQ(ask("mail.example.com", Type::a).addresses.size(), 2U) << "others from the forwarder";
  EXPECT_EQ(status_name(ask("host.example.com", Type::a).status), status_name(Status::nx_domain))
      << "nothing else from the zone's server";
}

TEST_F(UnboundResolverTest, BoundsWhatIsUnderWay) {
  make_resolver({.forwarders = {server_->local()}, .lookups_max = 1});
  server_->set_silent(true);
  EXPECT_EQ(ask("one.example.com", Type::a, 10ms).status, Status::timed_out);
  EXPECT_EQ(resolver_->under_way(), 1U) << "libunbound still asks";
  const SteadyTime before = shard_->world().clock.now();
  EXPECT_EQ(ask("two.example.com", Type::a, 10s).status, Status::timed_out);
  EXPECT_LT(shard_->world().clock.now() - before, 2s) << "at once";
}

TEST_F(UnboundResolverTest, StopEndsWaiting) {
  server_->set_silent(true);
  auto clock_owner = shard_->world();
  clock_owner.clock.call_at(clock_owner.clock.now() + 50ms, [this] { resolver_->stop(); });
  const SteadyTime before = clock_owner.clock.now();
  EXPECT_EQ(ask("one.example.com", Type::a, 15s).status, Status::timed_out);
  EXPECT_LT(clock_owner.clock.now() - before, 5s);
  EXPECT_EQ(ask("mail.example.com", Type::a).status, Status::timed_out) << "and later ones";
}

TEST_F(UnboundResolverTest, ValidatesNothingThatIsNotSigned) {
  // With a trust anchor for the root an unsigned forwarder proves nothing: bogus or no answer, but
  // never a plain yes or no.
  ASSERT_TRUE(std::filesystem::exists(trust_anchor_file_default)) << "apt install dns-root-data";
  make_resolver({.forwarders = {server_->local()},
                 .trust_anchor_file = std::string(trust_anchor_file_default)});
  const Answer answer = ask("mail.example.com", Type::a, 5s);
  EXPECT_EQ(status_name(answer.status), status_name(Status::bogus));
  EXPECT_FALSE(answer.secure);
}

TEST(ResolvConf, GivesForwarders) {
  struct Case {
    const char* text;
    std::vector<std::string> expected;
  };
  const Case cases[] = {
      {"", {"127.0.0.1:53"}},
      {"search example.com\n# nameserver 192.0.2.9\n", {"127.0.0.1:53"}},
      {"nameserver 192.0.2.1\nnameserver\t2001:db8::1 # two\n",
       {"192.0.2.1:53", "[2001:db8::1]:53"}},
      {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
       {"192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"}},
      {"nameserver nonsense\nnameservers 192.0.2.1\nnameserver 192.0.2.5", {"192.0.2.5:53"}},
  };
  for (const Case& c : cases) {
    std::vector<std::string> found;
    for (const Endpoint& endpoint : forwarders_from_resolv_conf(c.text))
      found.push_back(endpoint.text());
    EXPECT_EQ(found, c.expected) << c.text;
  }
}

}  // namespace
}  // namespace postern::dns
