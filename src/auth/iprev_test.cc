#include "auth/iprev.h"

#include <gtest/gtest.h>

#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"

namespace postern::auth {
namespace {

using namespace std::chrono_literals;

/// Says of every answer of another resolver whether it was validated.
class Validating final : public dns::Resolver {
 public:
  Validating(dns::Resolver& behind, std::vector<std::string> insecure)
      : behind_(behind), insecure_(std::move(insecure)) {}
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override {
    const bool secure = std::ranges::find(insecure_, name) == insecure_.end();
    dns::Answer answer = co_await behind_.lookup(std::move(name), type, deadline);
    answer.secure = secure;
    co_return answer;
  }

 private:
  dns::Resolver& behind_;
  std::vector<std::string> insecure_;
};

/// Says of every answer of another resolver whether it was in its cache.
class Remembering final : public dns::Resolver {
 public:
  Remembering(dns::Resolver& behind, std::vector<std::string> forgotten)
      : behind_(behind), forgotten_(std::move(forgotten)) {}
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override {
    const bool forgotten = std::ranges::find(forgotten_, name) != forgotten_.end();
    dns::Answer answer = co_await behind_.lookup(std::move(name), type, deadline);
    answer.cached = !forgotten && answer.status != dns::Status::timed_out;
    co_return answer;
  }

 private:
  dns::Resolver& behind_;
  std::vector<std::string> forgotten_;
};

/// Each name answers after its own time: the number that its first label ends in, in seconds.
class Staggered final : public dns::Resolver {
 public:
  Staggered(dns::Resolver& behind, io::Clock& clock) : behind_(behind), clock_(clock) {}
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override {
    if (type != dns::Type::ptr)
      co_await clock_.sleep_for(seconds(name.at(name.find('.') - 1) - '0'));
    co_return co_await behind_.lookup(std::move(name), type, deadline);
  }

 private:
  dns::Resolver& behind_;
  io::Clock& clock_;
};

class IprevTest : public testing::Test {
 protected:
  IprevTest() : host_(sim_.add_host("mx", *IpAddress::parse("192.0.2.250"))) {}

  void use(std::string_view zone) {
    fake_ =
        std::make_unique<dns::ZoneResolver>(host_.world().clock, dns::Zone::parse(zone).value());
  }
  static io::Task<> check_into(IprevTools tools, IpAddress client, IprevAwaited awaited,
                               Iprev* iprev, SteadyTime* ended) {
    *iprev = co_await check_iprev(tools, client, tools.clock.in(8s), std::move(awaited));
    *ended = tools.clock.now();
    co_await tools.lookups.join();
  }
  Iprev check(dns::Resolver& resolver, std::string_view client, std::size_t lookups_max = 100) {
    Iprev iprev;
    const SteadyTime started = sim_.now();
    SteadyTime ended;
    const io::World world = host_.world();
    io::TaskGroup lookups(world.executor, world.clock, lookups_max);
    EXPECT_TRUE(sim_.run_task(
        host_, check_into({resolver, world.clock, lookups}, IpAddress::parse(client).value(),
                          awaited_, &iprev, &ended)));
    took_ = ended - started;
    return iprev;
  }
  Iprev check(std::string_view client) { return check(*fake_, client); }

  io::SimWorld sim_{1};
  io::SimHost& host_;
  std::unique_ptr<dns::ZoneResolver> fake_;
  IprevAwaited awaited_;
  Duration took_{};
};

TEST_F(IprevTest, ConfirmsByOneName) {
  use("[192.0.2.7] 60 PTR mail.example.com\nmail.example.com 30 A 192.0.2.7\n");
  const Iprev iprev = check("192.0.2.7");
  EXPECT_EQ(iprev.result, IprevResult::pass);
  EXPECT_EQ(iprev.confirmed_name, "mail.example.com");
  EXPECT_EQ(iprev.ttl_seconds, 30U);
  EXPECT_EQ(iprev_properties(iprev), "policy.iprev=192.0.2.7 (mail.example.com)");
  EXPECT_EQ(fake_->take_lookups().size(), 2U);
}

TEST_F(IprevTest, AsksForTheClientsFamilyOnly) {
  use("[2001:db8::25] PTR mx6.example.com\nmx6.example.com AAAA 2001:db8::25\n"
      "mx6.example.com A SERVFAIL\n");
  const Iprev iprev = check("2001:db8::25");
  EXPECT_EQ(iprev.result, IprevResult::pass);
  EXPECT_EQ(iprev_properties(iprev), "policy.iprev=\"2001:db8::25\" (mx6.example.com)");
  const auto lookups = fake_->take_lookups();
  ASSERT_EQ(lookups.size(), 2U);
  EXPECT_EQ(lookups[1].type, dns::Type::aaaa);
}

TEST_F(IprevTest, LooksNamesUpInParallel) {
  use("[192.0.2.7] PTR a1.example\n[192.0.2.7] PTR b2.example\n[192.0.2.7] PTR c3.example\n"
      "a1.example A 198.51.100.1\nb2.example A 192.0.2.7\nc3.example A 192.0.2.7\n");
  Staggered staggered(*fake_, host_.world().clock);
  const Iprev iprev = check(staggered, "192.0.2.7");
  EXPECT_EQ(iprev.result, IprevResult::pass);
  EXPECT_EQ(took_, 2s) << "as soon as the first name confirms";
  EXPECT_EQ(iprev.took, 2s);
  EXPECT_EQ(iprev.confirmed_name, "b2.example");
  EXPECT_EQ(iprev.names[2].status, dns::Status::timed_out) << "not waited for";
}

TEST_F(IprevTest, WaitsForTheNamesThatMatter) {
  use("[192.0.2.7] PTR a1.example\n[192.0.2.7] PTR b2.example\n[192.0.2.7] PTR c3.example\n"
      "a1.example A 192.0.2.7\nb2.example A 192.0.2.7\nc3.example A 192.0.2.7\n");
  Staggered staggered(*fake_, host_.world().clock);
  awaited_ = [](std::string_view name) { return name == "b2.example"; };
  const Iprev iprev = check(staggered, "192.0.2.7");
  EXPECT_EQ(took_, 2s);
  EXPECT_EQ(iprev.confirmed_name, "a1.example") << "the first";
  EXPECT_TRUE(confirms(iprev.names[1], iprev.address));
  EXPECT_FALSE(confirms(iprev.names[2], iprev.address)) << "not waited for";
  EXPECT_FALSE(iprev.incomplete);

  use("[192.0.2.7] PTR a1.example\n[192.0.2.7] PTR b2.example\na1.example A 192.0.2.7\n"
      "b2.example TIMEOUT\n");
  const Iprev silent = check("192.0.2.7");
  EXPECT_EQ(silent.result, IprevResult::pass);
  EXPECT_TRUE(silent.incomplete);
  EXPECT_EQ(took_, 8s) << "the deadline";
}

TEST_F(IprevTest, KeepsAFewAddressesAndTheClientsOwn) {
  std::string zone = "[192.0.2.200] PTR many.example\n[198.51.100.1] PTR many.example\n";
  for (int i = 1; i <= 200; ++i) zone += fmt::format("many.example A 192.0.2.{}\n", i);
  use(zone);
  const Iprev pass = check("192.0.2.200");
  EXPECT_EQ(pass.result, IprevResult::pass);
  const IprevName& many = pass.names.at(0);
  EXPECT_EQ(many.addresses.size(), iprev_addresses_max);
  EXPECT_LE(many.addresses.capacity(), iprev_addresses_max);
  EXPECT_EQ(many.addresses_left_out, 200 - iprev_addresses_max);
  EXPECT_EQ(many.addresses.front().text(), "192.0.2.1");
  EXPECT_EQ(many.addresses.back().text(), "192.0.2.200");
  EXPECT_TRUE(std::ranges::is_sorted(many.addresses));
  EXPECT_EQ(check("198.51.100.1").names.at(0).addresses.back().text(), "192.0.2.32");
}

TEST_F(IprevTest, IsCachedWhenNoServerWasAsked) {
  use("[192.0.2.7] PTR a.example\n[192.0.2.7] PTR b.example\na.example A 192.0.2.7\n"
      "b.example TIMEOUT\n[192.0.2.8] PTR b.example\n[192.0.2.9] PTR a.example\n");
  Remembering all(*fake_, {});
  EXPECT_TRUE(check(all, "192.0.2.7").cached) << "a pass does not stand on who is silent";
  EXPECT_TRUE(check(all, "192.0.2.9").cached);
  EXPECT_TRUE(check(all, "192.0.2.1").cached) << "no names";
  EXPECT_FALSE(check(all, "192.0.2.8").cached) << "silence is news";
  Remembering forgets_name(*fake_, {"a.example"});
  EXPECT_FALSE(check(forgets_name, "192.0.2.7").cached);
  Remembering forgets_ptr(*fake_, {"9.2.0.192.in-addr.arpa"});
  EXPECT_FALSE(check(forgets_ptr, "192.0.2.9").cached);
}

TEST_F(IprevTest, PassWinsOverSilence) {
  use("[192.0.2.7] PTR a.example\n[192.0.2.7] PTR b.example\na.example TIMEOUT\n"
      "b.example A 192.0.2.7\n");
  EXPECT_EQ(check("192.0.2.7").result, IprevResult::pass);
  EXPECT_EQ(took_, 0s);
}

TEST_F(IprevTest, UndeterminedNeverLooksLikeMissing) {
  use("[192.0.2.7] PTR a.example\n[192.0.2.7] PTR b.example\na.example TIMEOUT\n"
      "b.example A 198.51.100.1\n[192.0.2.8] SERVFAIL\n[192.0.2.9] TIMEOUT\n");
  EXPECT_EQ(check("192.0.2.7").result, IprevResult::temperror);
  EXPECT_EQ(took_, 8s) << "the deadline";
  EXPECT_EQ(check("192.0.2.8").result, IprevResult::temperror);
  EXPECT_EQ(check("192.0.2.9").result, IprevResult::temperror);
  EXPECT_EQ(took_, 8s);
}

TEST_F(IprevTest, LooksAtTenNamesInSortedOrder) {
  std::string zone;
  for (const char c : std::string_view("lkjihgfedcba"))
    zone += fmt::format("[192.0.2.7] PTR {0}.example\n{0}.example A {1}\n", c,
                        c == 'k' ? "192.0.2.7" : "198.51.100.1");
  use(zone);
  const Iprev iprev = check("192.0.2.7");
  EXPECT_EQ(iprev.result, IprevResult::fail) << "k is the eleventh";
  EXPECT_EQ(iprev.ptr_count, 12U);
  ASSERT_EQ(iprev.names.size(), iprev_names_max);
  EXPECT_EQ(iprev.names.front().name, "a.example");
  EXPECT_EQ(iprev.names.back().name, "j.example");
  EXPECT_EQ(fake_->take_lookups().size(), 11U);
}

TEST_F(IprevTest, DoesNotAskForWhatIsNoHostName) {
  use("[192.0.2.7] PTR localhost\n[192.0.2.7] PTR 192.0.2.7\n[192.0.2.7] PTR .\n"
      "localhost A 192.0.2.7\n192.0.2.7 A 192.0.2.7\n");
  EXPECT_EQ(check("192.0.2.7").result, IprevResult::fail);
  EXPECT_EQ(fake_->take_lookups().size(), 1U);
}

TEST_F(IprevTest, WithoutRoomANameIsUndetermined) {
  use("[192.0.2.7] PTR a.example\n[192.0.2.7] PTR b.example\na.example A 198.51.100.1\n"
      "b.example A 192.0.2.7\n");
  fake_->set_latency(1ms);
  EXPECT_EQ(check(*fake_, "192.0.2.7", 1).result, IprevResult::temperror) << "b was not asked for";
}

TEST(IprevDnssec, IsThatOfTheEvidence) {
  using dns::Status;
  struct Case {
    const char* reason;
    bool secure;
    IprevResult result;
    Status ptr;
    Status forward;
    Dnssec dnssec;
  };
  const Case cases[] = {
      {"a validated pass", true, IprevResult::pass, Status::ok, Status::ok, Dnssec::secure},
      {"a validated denial", true, IprevResult::fail, Status::nx_domain, Status::ok,
       Dnssec::secure},
      {"unsigned zones", false, IprevResult::pass, Status::ok, Status::ok, Dnssec::insecure},
      {"a bogus PTR", false, IprevResult::temperror, Status::bogus, Status::ok, Dnssec::bogus},
      {"a bogus address", false, IprevResult::temperror, Status::ok, Status::bogus, Dnssec::bogus},
      {"another name confirms", false, IprevResult::pass, Status::ok, Status::bogus,
       Dnssec::insecure},
      {"no answer", false, IprevResult::temperror, Status::timed_out, Status::timed_out,
       Dnssec::insecure},
  };
  for (const Case& c : cases) {
    Iprev iprev;
    iprev.secure = c.secure;
    iprev.result = c.result;
    iprev.ptr_status = c.ptr;
    IprevName name;
    name.usable = true;
    name.status = c.forward;
    iprev.names = {name};
    EXPECT_EQ(dnssec_word(iprev_dnssec(iprev)), dnssec_word(c.dnssec)) << c.reason;
  }
}

TEST_F(IprevTest, SecureIsWhatTheResultStandsOn) {
  use("[192.0.2.7] PTR a.example\n[192.0.2.7] PTR b.example\na.example A 198.51.100.1\n"
      "b.example A 192.0.2.7\n[192.0.2.8] PTR a.example\n");
  Validating other_insecure(*fake_, {"a.example"});
  EXPECT_TRUE(check(other_insecure, "192.0.2.7").secure);
  EXPECT_FALSE(check(other_insecure, "192.0.2.8").secure) << "a failure stands on every name";
  Validating name_insecure(*fake_, {"b.example"});
  EXPECT_FALSE(check(name_insecure, "192.0.2.7").secure);
  Validating ptr_insecure(*fake_, {"7.2.0.192.in-addr.arpa"});
  EXPECT_FALSE(check(ptr_insecure, "192.0.2.7").secure);
}

}  // namespace
}  // namespace postern::auth
