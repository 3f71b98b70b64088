#include "policy/breaker.h"

#include <functional>
#include <gtest/gtest.h>
#include <vector>

#include "policy/breaker_text.h"

namespace postern::policy {
namespace {

using namespace std::chrono_literals;
using enum LookupFound;

/// A client of the owner `owner`: each has a /16 of its own.
IpAddress client(int owner, int zone = 0, int host = 1) {
  return IpAddress::from_v4({static_cast<std::uint8_t>(20 + owner / 200),
                             static_cast<std::uint8_t>(owner % 200),
                             static_cast<std::uint8_t>(zone), static_cast<std::uint8_t>(host)});
}
IpAddress v6(const char* text) {
  return IpAddress::parse(text).value();
}

/// A breaker in virtual time that keeps its changes.
class Play {
 public:
  explicit Play(const BreakerOptions& options = {}) : breaker(options) {}

  void pass(Duration time) {
    const SteadyTime end = now_ + time;
    for (auto next = breaker.next_tick(); next && *next > now_ && *next <= end;
         next = breaker.next_tick()) {
      now_ = *next;
      keep(breaker.tick(now_));
    }
    now_ = end;
    keep(breaker.tick(now_));
  }
  void lookup(const IpAddress& address, LookupFound found) {
    keep(breaker.lookup(now_, address, found));
  }
  /// One client of each owner from `first` on, a second apart.
  void lookups(int first, int count, LookupFound found, int host = 1) {
    for (int i = first; i < first + count; ++i, pass(1s)) lookup(client(i, 0, host), found);
  }
  void transactions(int count, const char* from, Vantage vantage) {
    for (int i = 0; i < count; ++i)
      keep(breaker.transaction(now_, *IpAddress::parse(from), vantage));
  }
  [[nodiscard]] bool open() const { return breaker.state() != BreakerState::closed; }
  [[nodiscard]] SteadyTime now() const { return now_; }

  Breaker breaker;
  std::vector<BreakerChange> changes;
  std::vector<SteadyTime> opened_at;

 private:
  void keep(const std::optional<BreakerChange>& change) {
    if (!change) return;
    changes.push_back(*change);
    if (change->from == BreakerState::closed) opened_at.push_back(now_);
  }
  SteadyTime now_{1h};
};

struct Case {
  const char* reason;
  std::function<void(Play&)> play;
  bool opens;
  BreakerSignal signal = BreakerSignal::temperror;
};

void run(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    Play play;
    c.play(play);
    EXPECT_EQ(play.open(), c.opens) << c.reason;
    if (!play.open()) continue;
    EXPECT_EQ(breaker_signal_name(play.changes.front().signal), breaker_signal_name(c.signal))
        << c.reason;
    EXPECT_TRUE(play.changes.front().reading.opens()) << c.reason;
  }
}

TEST(Breaker, OpensWhenTheResolverGivesNoAnswers) {
  run({
      {"eight networks that were known",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.lookups(0, 8, no_reverse_answer, 2);
       },
       true},
      {"seven are too few",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.lookups(0, 7, no_reverse_answer, 2);
       },
       false},
      {"known by a refusal as well: the zone answered",
       [](Play& p) {
         p.lookups(0, 20, unconfirmed);
         p.lookups(0, 8, no_reverse_answer, 2);
       },
       true},
      {"less than half of those seen again",
       [](Play& p) {
         p.lookups(0, 40, confirmed);
         p.lookups(0, 20, confirmed, 2);
         p.lookups(20, 12, no_reverse_answer, 2);
       },
       false},
      {"from the start on, when nobody ever got an answer",
       [](Play& p) { p.lookups(0, 8, no_reverse_answer); }, true},
      {"from the start on, by slow answers", [](Play& p) { p.lookups(0, 8, no_forward_answer); },
       true},
      {"the names of clients that were confirmed before",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.lookups(0, 8, no_forward_answer);
       },
       true},
      {"a failure of days before does not add up",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         for (int i = 0; i < 8; ++i, p.pass(5h)) p.lookup(client(i, 0, 2), no_reverse_answer);
       },
       false},
      {"few clients an hour: samples count for longer",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.pass(1h);
         for (int i = 0; i < 8; ++i, p.pass(20min)) p.lookup(client(i, 0, 2), no_reverse_answer);
       },
       true},
  });
}

TEST(Breaker, OpensAtAPercentageBelowHalfHoweverSlowly) {
  BreakerOptions options;
  options.temperror_percent = 20;
  Play play(options);
  play.lookups(0, 40, confirmed);
  play.pass(5h);
  // A fifth of forty, five minutes apart.
  for (int i = 0; i < 40; ++i, play.pass(5min))
    play.lookup(client(i, 0, 2), i % 5 == 0 ? no_reverse_answer : confirmed);
  EXPECT_EQ(play.opened_at.size(), 1U);
}

TEST(Breaker, CannotBeOpenedByThoseWhomItWouldLetIn) {
  run({
      {"a botnet whose reverse zones never worked",
       [](Play& p) {
         p.lookups(0, 10, confirmed);
         p.lookups(1000, 1000, no_reverse_answer);
       },
       false},
      {"the same before the first good client, once one came",
       [](Play& p) {
         p.lookups(1000, 7, no_reverse_answer);
         p.lookups(0, 1, confirmed);
         p.lookups(1007, 100, no_reverse_answer);
       },
       false},
      {"PTR names in a zone of the spammer's that is broken, at many providers",
       [](Play& p) {
         p.lookups(0, 50, confirmed);
         p.lookups(0, 50, no_forward_answer, 66);
       },
       false},
      {"many addresses of one network, first good, then broken",
       [](Play& p) {
         p.lookups(0, 10, confirmed);
         for (int zone = 1; zone < 250; ++zone) p.lookup(client(300, zone), confirmed);
         for (int zone = 1; zone < 250; ++zone) p.lookup(client(300, zone), no_reverse_answer);
       },
       false},
      {"an IPv6 allocation, /48 by /48",
       [](Play& p) {
         p.lookups(0, 10, confirmed);
         const char* networks[] = {"2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
                                   "2001:db8:4::1", "2001:db8:5::1", "2001:db8:6::1",
                                   "2001:db8:7::1", "2001:db8:8::1", "2001:db8:9::1"};
         for (const char* network : networks) p.lookup(v6(network), confirmed);
         for (const char* network : networks) p.lookup(v6(network), no_reverse_answer);
       },
       false},
      {"a wave of clients without PTR records",
       [](Play& p) {
         p.lookups(0, 30, confirmed);
         p.lookups(0, 30, confirmed);
         p.lookups(1000, 2000, unconfirmed);
       },
       false},
      {"the same just after a start", [](Play& p) { p.lookups(1000, 39, unconfirmed); }, false},
      {"connections from outside, all of one address",
       [](Play& p) { p.transactions(5000, "203.0.113.9", Vantage::outside); }, false},
      {"one client of ours among others",
       [](Play& p) {
         for (int i = 0; i < 1000; ++i) {
           p.transactions(8, "10.0.0.1", Vantage::inside);
           p.transactions(2, "203.0.113.9", Vantage::outside);
         }
       },
       false},
  });
}

TEST(Breaker, OpensWhenAllClientsLookLikeOne) {
  run({
      {"a proxy's address", [](Play& p) { p.transactions(100, "172.17.0.1", Vantage::inside); },
       true, BreakerSignal::one_client},
      {"99 are too few", [](Play& p) { p.transactions(99, "172.17.0.1", Vantage::inside); }, false},
      {"nearly all",
       [](Play& p) {
         for (int i = 0; i < 12; ++i) {
           p.transactions(9, "172.17.0.1", Vantage::inside);
           p.transactions(1, "203.0.113.9", Vantage::outside);
         }
       },
       true, BreakerSignal::one_client},
      {"nearly all, in three hours",
       [](Play& p) {
         for (int i = 0; i < 12; ++i, p.pass(15min)) {
           p.transactions(1, "203.0.113.9", Vantage::outside);
           p.transactions(10, "172.17.0.1", Vantage::inside);
         }
       },
       true, BreakerSignal::one_client},
      {"two that share the load",
       [](Play& p) {
         for (int i = 0; i < 500; ++i) {
           p.transactions(1, "172.17.0.1", Vantage::inside);
           p.transactions(1, "172.17.0.2", Vantage::inside);
         }
       },
       false},
      {"after a busy time of many others",
       [](Play& p) {
         p.transactions(3000, "203.0.113.9", Vantage::outside);
         p.transactions(20, "172.17.0.2", Vantage::inside);
         p.pass(11min);
         p.transactions(100, "172.17.0.1", Vantage::inside);
       },
       true, BreakerSignal::one_client},
  });
}

TEST(Breaker, OpensWhenTheResolverLies) {
  run({
      {"clients that had names have none",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.lookups(0, 8, unconfirmed);
       },
       true, BreakerSignal::refused},
      {"neighbours of those clients do not count",
       [](Play& p) {
         p.lookups(0, 20, confirmed);
         p.lookups(0, 20, unconfirmed, 2);
       },
       false},
      {"some clients lose theirs",
       [](Play& p) {
         p.lookups(0, 40, confirmed);
         p.lookups(0, 20, confirmed);
         p.lookups(20, 10, unconfirmed);
       },
       false},
      {"nobody ever had a name", [](Play& p) { p.lookups(0, 40, unconfirmed); }, true,
       BreakerSignal::refused},
      {"nobody ever had a name, on a small server",
       [](Play& p) {
         for (int i = 0; i < 40; ++i, p.pass(5min)) p.lookup(client(i), unconfirmed);
       },
       true, BreakerSignal::refused},
  });
}

TEST(Breaker, ComparesWithTheLongRun) {
  // A third of those who come again has lost its name: for long, so that this is how things are.
  Play play;
  play.lookups(0, 60, confirmed);
  for (int round = 0; round < 60; ++round) {
    play.lookups(0, 40, confirmed);
    play.lookups(40, 20, unconfirmed);
  }
  EXPECT_FALSE(play.open());
  play.lookups(0, 20, unconfirmed);
  EXPECT_FALSE(play.open()) << "two thirds are no jump of half";
  play.lookups(20, 20, unconfirmed);
  ASSERT_TRUE(play.open());
  EXPECT_NEAR(static_cast<double>(play.changes.front().reading.average), 33, 5);
  EXPECT_NEAR(static_cast<double>(play.changes.front().reading.opens_at), 83, 5);
}

TEST(Breaker, ClosesByItself) {
  Play play;
  play.lookups(0, 20, confirmed);
  play.lookups(0, 8, no_reverse_answer, 2);
  ASSERT_EQ(play.breaker.state(), BreakerState::open);
  play.pass(4min);
  play.lookups(0, 10, confirmed, 3);
  EXPECT_EQ(play.breaker.state(), BreakerState::open) << "not before open_time";
  play.pass(1min);
  EXPECT_EQ(play.breaker.state(), BreakerState::half_open) << "by time alone";
  play.lookups(0, 3, confirmed, 4);
  EXPECT_EQ(play.breaker.state(), BreakerState::half_open) << "not before recovery_time";
  play.pass(2min);
  EXPECT_EQ(play.breaker.state(), BreakerState::closed) << "by time alone";
  ASSERT_EQ(play.changes.size(), 3U);
  EXPECT_EQ(play.changes.back().from, BreakerState::half_open);
  EXPECT_EQ(play.changes.back().open_for, 7min);
}

TEST(Breaker, StaysOpenUntilEnoughIsSeen) {
  struct Recovery {
    const char* reason;
    std::function<void(Play&)> play;
    BreakerState ends;
  };
  const Recovery cases[] = {
      {"nobody came", [](Play& p) { p.pass(24h); }, BreakerState::half_open},
      {"two are too few", [](Play& p) { p.lookups(0, 2, confirmed, 3); }, BreakerState::half_open},
      {"strangers will do", [](Play& p) { p.lookups(500, 3, unconfirmed); }, BreakerState::closed},
      {"few come, hours apart",
       [](Play& p) {
         for (int i = 0; i < 3; ++i, p.pass(1h)) p.lookup(client(i, 0, 3), confirmed);
       },
       BreakerState::closed},
      {"a third still fails: less than opens it, more than closes it",
       [](Play& p) {
         p.lookups(0, 10, confirmed, 3);
         p.lookups(10, 5, no_reverse_answer, 3);
       },
       BreakerState::half_open},
      {"a fifth",
       [](Play& p) {
         p.lookups(0, 12, confirmed, 3);
         p.lookups(12, 3, no_reverse_answer, 3);
       },
       BreakerState::closed},
      {"all fail", [](Play& p) { p.lookups(0, 8, no_reverse_answer, 3); }, BreakerState::open},
  };
  for (const Recovery& c : cases) {
    Play play;
    play.lookups(0, 20, confirmed);
    play.lookups(0, 8, no_reverse_answer, 2);
    play.pass(5min);
    ASSERT_EQ(play.breaker.state(), BreakerState::half_open);
    c.play(play);
    play.pass(3min);
    EXPECT_EQ(breaker_state_name(play.breaker.state()), breaker_state_name(c.ends)) << c.reason;
  }
}

TEST(Breaker, RecoversFromAHiddenClientAndFromLies) {
  Play hidden;
  hidden.transactions(100, "172.17.0.1", Vantage::inside);
  hidden.pass(8min);
  hidden.transactions(9, "203.0.113.9", Vantage::outside);
  EXPECT_TRUE(hidden.open());
  hidden.transactions(1, "203.0.113.9", Vantage::outside);
  EXPECT_FALSE(hidden.open());

  Play lies;
  lies.lookups(0, 20, confirmed);
  lies.lookups(0, 8, unconfirmed);
  lies.pass(8min);
  lies.lookups(500, 20, unconfirmed);
  EXPECT_TRUE(lies.open()) << "strangers without a name do not tell that it is over";
  lies.lookups(0, 3, confirmed);
  EXPECT_FALSE(lies.open());
}

// The resolver fails for good halves of an hour, at every step that the breaker could see.
TEST(Breaker, NeverFlapsFasterThanItsBound) {
  const BreakerOptions options;
  Play play(options);
  play.lookups(0, 100, confirmed);
  const SteadyTime end = play.now() + 24h;
  for (int host = 2; play.now() < end; host = 2 + host % 250) {
    // Whatever it waits for, it gets: failures when closed, answers when open.
    play.lookups(0, 9, play.open() ? confirmed : no_reverse_answer, host);
    play.pass(1min);
  }
  ASSERT_GT(play.opened_at.size(), 10U);
  EXPECT_LE(play.opened_at.size(), 30U);
  for (std::size_t i = 1; i < play.opened_at.size(); ++i)
    EXPECT_GE(play.opened_at[i] - play.opened_at[i - 1],
              std::min((5min + 0ns) * (1 << std::min<std::size_t>(i - 1, 10)),
                       options.open_time_max - 0ns) +
                  options.recovery_time)
        << i;
}

TEST(Breaker, ForgetsOldTroubleAfterAQuietTime) {
  Play play;
  play.lookups(0, 20, confirmed);
  for (int round = 0; round < 2; ++round) {
    play.lookups(0, 8, no_reverse_answer, 2 + 2 * round);
    ASSERT_TRUE(play.open());
    play.pass(5min);
    EXPECT_EQ(play.breaker.state(), BreakerState::half_open) << round;
    play.lookups(0, 20, confirmed, 3 + 2 * round);
    play.pass(2h);
    ASSERT_FALSE(play.open());
  }
}

TEST(Breaker, IsWhatItsOptionsSay) {
  BreakerOptions off;
  off.enabled = false;
  Play disabled(off);
  disabled.lookups(0, 50, no_reverse_answer);
  disabled.transactions(500, "10.0.0.1", Vantage::inside);
  EXPECT_FALSE(disabled.open());
  EXPECT_FALSE(disabled.breaker.status(disabled.now()).enabled);

  BreakerOptions silent;
  silent.temperror_percent = silent.one_client_percent = silent.refused_jump_percent = 0;
  Play none(silent);
  none.lookups(0, 50, no_reverse_answer);
  none.lookups(0, 50, unconfirmed);
  none.transactions(500, "10.0.0.1", Vantage::inside);
  EXPECT_FALSE(none.open());

  Play switched_off;
  switched_off.lookups(0, 8, no_reverse_answer);
  ASSERT_TRUE(switched_off.open());
  const auto change = switched_off.breaker.set_options(switched_off.now(), off);
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->to, BreakerState::closed);
  EXPECT_FALSE(switched_off.open());
}

TEST(Breaker, TellsWhereItStands) {
  Play play;
  EXPECT_TRUE(play.breaker.status(play.now()).learning);
  play.lookups(0, 20, confirmed);
  BreakerStatus status = play.breaker.status(play.now());
  EXPECT_FALSE(status.learning);
  EXPECT_FALSE(status.since.has_value());
  EXPECT_EQ(what_closes(status), "");
  play.lookups(0, 8, no_reverse_answer, 2);
  status = play.breaker.status(play.now());
  EXPECT_EQ(status.opened, 1U);
  EXPECT_EQ(reading_text(status.readings[0]),
            "8 of 8 client networks whose reverse names could be looked up before get no answer "
            "now");
  EXPECT_EQ(what_closes(status),
            "looks again in 4m59s, and closes some time later if 3 client networks were seen of "
            "which at most 25 % are bad");
  play.pass(5min);
  EXPECT_EQ(what_closes(play.breaker.status(play.now())),
            "closes in 1m59s at the earliest, when 3 client networks were seen of which at most 25 "
            "% are bad");
  play.pass(3min);
  play.lookups(0, 1, confirmed, 3);
  EXPECT_EQ(what_closes(play.breaker.status(play.now())),
            "closes when 3 client networks were seen of which at most 25 % are bad; so far 0 of 1 "
            "are bad");
}

TEST(Breaker, AdviceFitsALine) {
  for (const BreakerSignal signal : breaker_signals) {
    EXPECT_FALSE(breaker_advice(signal).empty());
    EXPECT_LT(breaker_advice(signal).size(), 300U) << breaker_signal_name(signal);
  }
}

TEST(Breaker, IsBounded) {
  Play play;
  for (int i = 0; i < 10'000; ++i) play.lookup(client(i % 40'000, i % 200), confirmed);
  for (int i = 0; i < 10'000; ++i) play.lookup(client(i % 40'000, i % 200), confirmed);
  play.transactions(10'000, "203.0.113.9", Vantage::outside);
  for (const BreakerReading& reading : play.breaker.status(play.now()).readings)
    EXPECT_LE(reading.total, 4096U) << breaker_signal_name(reading.signal);
}

}  // namespace
}  // namespace postern::policy
