#include "dns/fake_resolver.h"

#include <gtest/gtest.h>

#include "io/sim/sim_world.h"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;

class FakeResolverTest : public testing::Test {
 protected:
  FakeResolverTest() : host_(sim_.add_host("mx", *IpAddress::parse("192.0.2.1"))) {}

  FakeResolver resolver(std::string_view zone) {
    return FakeResolver(host_.world().clock, Zone::parse(zone).value());
  }
  static io::Task<> ask_into(Resolver* resolver, io::Clock* clock, std::string name, Type type,
                             Duration patience, Answer* answer) {
    *answer = co_await resolver->lookup(std::move(name), type, clock->in(patience));
  }
  Answer ask(Resolver& resolver, std::string name, Duration patience = 8s, Type type = Type::a) {
    Answer answer;
    EXPECT_TRUE(sim_.run_task(host_, ask_into(&resolver, &host_.world().clock, std::move(name),
                                              type, patience, &answer)));
    return answer;
  }

  io::SimWorld sim_{1};
  io::SimHost& host_;
};

TEST_F(FakeResolverTest, TakesItsTimeInVirtualTime) {
  FakeResolver fake = resolver("a.example A 192.0.2.1\nslow.example TIMEOUT\n");
  fake.set_latency(20ms);
  const SteadyTime start = sim_.now();
  EXPECT_EQ(ask(fake, "A.example").addresses.size(), 1U);
  EXPECT_EQ(sim_.now() - start, 20ms);
  EXPECT_EQ(ask(fake, "slow.example").status, Status::timed_out);
  EXPECT_EQ(sim_.now() - start, 20ms + 8s) << "silent until the deadline, not longer";
  EXPECT_EQ(ask(fake, "a.example", 10ms).status, Status::timed_out) << "the answer came too late";
  EXPECT_EQ(sim_.now() - start, 30ms + 8s);
}

TEST_F(FakeResolverTest, RemembersEveryLookup) {
  FakeResolver fake = resolver("a.example A 192.0.2.1\n");
  ask(fake, "a.example");
  ask(fake, "b.example", 8s, Type::mx);
  ask(fake, "a..b");
  const auto lookups = fake.take_lookups();
  ASSERT_EQ(lookups.size(), 3U);
  EXPECT_EQ(lookups[0].name, "a.example");
  EXPECT_EQ(lookups[0].status, Status::ok);
  EXPECT_EQ(lookups[1].type, Type::mx);
  EXPECT_EQ(lookups[1].status, Status::nx_domain);
  EXPECT_EQ(lookups[2].status, Status::nx_domain) << "a name that cannot be asked";
  EXPECT_TRUE(fake.take_lookups().empty());
}

TEST_F(FakeResolverTest, AsksBeyondForWhatItDoesNotKnow) {
  FakeResolver beyond = resolver("b.example A 192.0.2.2\ngone.example A 192.0.2.3\n");
  FakeResolver fake = resolver("a.example A 192.0.2.1\ngone.example NXDOMAIN\n");
  fake.set_beyond(&beyond);
  EXPECT_EQ(ask(fake, "a.example").status, Status::ok);
  EXPECT_EQ(ask(fake, "b.example").status, Status::ok);
  EXPECT_EQ(ask(fake, "gone.example").status, Status::nx_domain);
  EXPECT_EQ(ask(fake, "a.example", 8s, Type::mx).status, Status::no_data);
  EXPECT_EQ(beyond.take_lookups().size(), 1U);
}

TEST_F(FakeResolverTest, StopEndsSilence) {
  FakeResolver fake = resolver("slow.example TIMEOUT\na.example A 192.0.2.1\n");
  host_.clock().call_at(sim_.now() + 1s, [&fake] { fake.stop(); });
  const SteadyTime start = sim_.now();
  EXPECT_EQ(ask(fake, "slow.example").status, Status::timed_out);
  EXPECT_EQ(sim_.now() - start, 1s);
  EXPECT_EQ(ask(fake, "a.example").status, Status::timed_out);
}

}  // namespace
}  // namespace postern::dns
