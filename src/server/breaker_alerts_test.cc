#include "server/breaker_alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "io/sim/sim_programs.h"
#include "io/sim/sim_world.h"
#include "queue/memory_store.h"

namespace postern::server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Counts lines by event.
class CountingLog final : public Log {
 public:
  void line(Severity, std::string_view event, std::initializer_list<LogField>) override {
    ++events[std::string(event)];
  }
  void raw(Severity, std::string_view) override {}
  std::map<std::string, int> events;
};

class BreakerAlertsTest : public testing::Test {
 protected:
  BreakerAlertsTest() {
    options_.hostname = "gw.example.com";
    options_.command = {"/bin/alert", "--now"};
    options_.programs = &programs_;
    EXPECT_TRUE(sim_.run_task(host_, recover()));
  }
  ~BreakerAlertsTest() override {
    stop_in(1h);
    EXPECT_TRUE(sim_.run_task(host_, queue_.drain()));
  }
  io::Task<> recover() { EXPECT_TRUE((co_await queue_.recover()).has_value()); }
  BreakerAlerts& alerts() {
    if (!alerts_)
      alerts_ = std::make_unique<BreakerAlerts>(host_.world(), log_, queue_, breaker_, options_);
    return *alerts_;
  }

  void stop_in(Duration time) {
    EXPECT_TRUE(sim_.run_task(host_, alerts().stop(host_.world().clock.in(time))));
  }

  void lookups(dns::Status status) {
    for (std::uint8_t owner = 0; owner < 8; ++owner) {
      auth::Iprev iprev;
      iprev.address = IpAddress::from_v4({20, owner, 0, 1});
      iprev.ptr_status = status;
      iprev.result =
          dns::is_determined(status) ? auth::IprevResult::pass : auth::IprevResult::temperror;
      breaker_.lookup(iprev);
    }
  }
  void pass(Duration time) { EXPECT_TRUE(sim_.run_for(time)); }
  /// Opens and closes the breaker, in 10 s.
  void round() {
    lookups(dns::Status::timed_out);
    ASSERT_TRUE(breaker_.open());
    pass(5s);
    lookups(dns::Status::ok);
    pass(5s);
    ASSERT_FALSE(breaker_.open());
  }

  io::SimWorld sim_{1};
  io::SimHost& host_ = sim_.add_host("gateway", *IpAddress::parse("192.0.2.1"));
  CountingLog log_;
  queue::MemoryStore store_;
  queue::Queue queue_{host_.world(), store_, log_, {}};
  io::SimPrograms programs_{host_.world().clock};
  policy::BreakerWatch breaker_{host_.world().clock,
                                {.open_time = 4s, .open_time_max = 4s, .recovery_time = 2s}};
  BreakerAlertOptions options_;
  std::unique_ptr<BreakerAlerts> alerts_;
};

TEST_F(BreakerAlertsTest, TellsTheCommandWhatHappened) {
  alerts();
  round();
  ASSERT_EQ(programs_.calls.size(), 2U);
  EXPECT_THAT(programs_.calls[0].words, ElementsAre("/bin/alert", "--now"));
  EXPECT_THAT(
      programs_.calls[0].environment,
      ElementsAre(Pair("PATH", HasSubstr("/usr/bin")), Pair("POSTERN_EVENT", "breaker_opened"),
                  Pair("POSTERN_HOSTNAME", "gw.example.com"), Pair("POSTERN_TIME", HasSubstr("T")),
                  Pair("POSTERN_SIGNAL", "temperror"),
                  Pair("POSTERN_FIGURES", HasSubstr("8 of 8 client networks")),
                  Pair("POSTERN_BAD", "8"), Pair("POSTERN_TOTAL", "8"),
                  Pair("POSTERN_ADVICE", HasSubstr("dig -x"))));
  EXPECT_EQ(programs_.calls[1].environment[1].second, "breaker_closed");
  EXPECT_EQ(queue_.counts().messages, 0U) << "nobody to write to";
}

TEST_F(BreakerAlertsTest, IsBounded) {
  options_.mail_to = "ops@example.net";
  alerts();
  for (int i = 0; i < 20; ++i) round();
  EXPECT_EQ(programs_.calls.size(), 12U);
  EXPECT_EQ(queue_.counts().messages, 12U);
  EXPECT_EQ(log_.events["breaker_opened"], 20) << "the log has all";
  EXPECT_EQ(log_.events["breaker_alert_omitted"], 28);
  pass(1h);
  round();
  EXPECT_EQ(programs_.calls.size(), 14U);
}

TEST_F(BreakerAlertsTest, SurvivesACommandThatHangsOrFails) {
  options_.mail_to = "ops@example.net";
  options_.command_timeout = 3s;
  programs_.takes = 1h;
  alerts();
  round();
  programs_.takes = 1s;
  programs_.outcome = 7;
  round();
  EXPECT_EQ(log_.events["breaker_command_failed"], 4);
  EXPECT_EQ(queue_.counts().messages, 4U);
}

TEST_F(BreakerAlertsTest, TellsThatTheQueueTakesNothing) {
  options_.mail_to = "ops@example.net";
  store_.set_full(true);
  alerts();
  round();
  EXPECT_EQ(log_.events["breaker_mail_failed"], 2);
}

TEST_F(BreakerAlertsTest, StopsInTimeWhileACommandHangs) {
  options_.command_timeout = 1h;
  programs_.takes = 1h;
  alerts();
  lookups(dns::Status::timed_out);
  ASSERT_TRUE(breaker_.open());
  const SteadyTime begun = sim_.now();
  stop_in(10s);
  EXPECT_EQ(sim_.now() - begun, 10s) << "it has its time, and no more";
  EXPECT_EQ(log_.events["breaker_command_failed"], 1);
}

TEST_F(BreakerAlertsTest, SaysNothingOnceItIsStopped) {
  stop_in(1s);
  lookups(dns::Status::timed_out);
  EXPECT_TRUE(breaker_.open());
  EXPECT_EQ(log_.events.count("breaker_opened"), 0U);
}

}  // namespace
}  // namespace postern::server
