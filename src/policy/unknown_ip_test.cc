#include "policy/unknown_ip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "dns/zone_resolver.h"
#include "io/sim/sim_world.h"

namespace postern::policy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr std::string_view zone_text =
    "[192.0.2.1] PTR mail.example.com\nmail.example.com A 192.0.2.1\n"
    "[192.0.2.3] PTR localhost\n"
    "[192.0.2.4] PTR gone.example.com\n"
    "[192.0.2.5] PTR other.example.com\nother.example.com A 198.51.100.9\n"
    "[192.0.2.6] SERVFAIL\n"
    "[192.0.2.8] TIMEOUT\n"
    "[10.0.0.1] PTR mail.example.com\n";

class UnknownIpTest : public testing::Test {
 protected:
  UnknownIpTest()
      : host_(sim_.add_host("mx", *IpAddress::parse("192.0.2.250"))),
        resolver_(host_.world().clock, dns::Zone::parse(zone_text).value()) {
    options_.mode = UnknownIpMode::enforce;
  }
  ~UnknownIpTest() override {
    if (!check_) return;
    resolver_.stop();
    EXPECT_TRUE(sim_.run_task(host_, check_->stop()));
  }

  UnknownIpCheck& check() {
    if (!check_) check_ = std::make_unique<UnknownIpCheck>(host_.world(), resolver_, options_);
    return *check_;
  }
  std::shared_ptr<PendingCheck> start(std::string_view client) {
    return check().start(IpAddress::parse(client).value());
  }
  static io::Task<> wait_into(PendingCheck* pending, const UnknownIpVerdict** verdict) {
    *verdict = co_await pending->verdict();
  }
  UnknownIpVerdict verdict(const std::shared_ptr<PendingCheck>& pending) {
    const UnknownIpVerdict* found = nullptr;
    EXPECT_TRUE(sim_.run_task(host_, wait_into(pending.get(), &found)));
    return found == nullptr ? UnknownIpVerdict{} : *found;
  }
  UnknownIpVerdict verdict(std::string_view client) { return verdict(start(client)); }
  /// Of mail from a.example to b.example; nothing: by an empty name.
  OverrideDecision override_of(const std::shared_ptr<PendingCheck>& pending,
                               AnswerAt step = AnswerAt::rcpt) {
    verdict(pending);
    return pending->override_for(step, "a.example", "b.example").value_or(OverrideDecision{});
  }

  io::SimWorld sim_{1};
  io::SimHost& host_;
  dns::ZoneResolver resolver_;
  UnknownIpOptions options_;
  std::unique_ptr<UnknownIpCheck> check_;
};

TEST_F(UnknownIpTest, SaysTheCause) {
  struct Case {
    const char* client;
    UnknownIpState state;
    const char* reply;
  };
  const Case cases[] = {
      {"192.0.2.1", UnknownIpState::pass, ""},
      {"192.0.2.2", UnknownIpState::no_ptr,
       "450 4\\.7\\.25 Client host rejected: cannot find your hostname, \\[192\\.0\\.2\\.2\\]: "
       "no PTR record \\(case [2-9A-Z]+\\)"},
      {"192.0.2.3", UnknownIpState::bad_name,
       "450 4\\.7\\.25 Client host rejected: cannot find your hostname, \\[192\\.0\\.2\\.3\\]: "
       "PTR name is not a host name: \"localhost\" \\(case [2-9A-Z]+\\)"},
      {"192.0.2.4", UnknownIpState::no_forward,
       "450 4\\.7\\.25 Client host rejected: cannot find your hostname, \\[192\\.0\\.2\\.4\\]: "
       "PTR gone\\.example\\.com has no address \\(case [2-9A-Z]+\\)"},
      {"192.0.2.5", UnknownIpState::mismatch,
       "450 4\\.7\\.25 Client host rejected: cannot find your hostname, \\[192\\.0\\.2\\.5\\]: "
       "PTR other\\.example\\.com resolves to 198\\.51\\.100\\.9 \\(case [2-9A-Z]+\\)"},
      {"192.0.2.6", UnknownIpState::temp_error,
       "451 4\\.7\\.25 Client host not verified: DNS lookup for \\[192\\.0\\.2\\.6\\] did not "
       "complete, try again later \\(case [2-9A-Z]+\\)"},
      {"2001:db8::1", UnknownIpState::no_ptr,
       "450 4\\.7\\.25 Client host rejected: cannot find your hostname, \\[2001:db8::1\\]: "
       "no PTR record \\(case [2-9A-Z]+\\)"},
  };
  for (const Case& c : cases) {
    const UnknownIpVerdict found = verdict(c.client);
    EXPECT_EQ(state_name(found.state), state_name(c.state)) << c.client;
    EXPECT_THAT(found.reply, MatchesRegex(c.reply));
    EXPECT_EQ(found.case_id.empty(), found.reply.empty());
    EXPECT_TRUE(found.enforced);
  }
}

TEST_F(UnknownIpTest, PostfixStyleIsPostfixsSentence) {
  options_.reply_style = ReplyStyle::postfix;
  EXPECT_EQ(verdict("192.0.2.2").reply,
            "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.2]");
  EXPECT_EQ(verdict("192.0.2.5").reply,
            "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.5]");
  EXPECT_EQ(verdict("192.0.2.6").reply,
            "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.6]");
  EXPECT_FALSE(verdict("192.0.2.6").case_id.empty()) << "for the log";
}

TEST_F(UnknownIpTest, EachStateHasItsAction) {
  options_.no_ptr = Action::reply_550;
  options_.bad_name = Action::tag;
  options_.no_forward = Action::accept;
  options_.mismatch = Action::reply_451;
  options_.temp_error = Action::accept;
  EXPECT_THAT(verdict("192.0.2.2").reply, HasSubstr("550 5.7.25 Client host rejected"));
  EXPECT_EQ(verdict("192.0.2.3").action, Action::tag);
  EXPECT_EQ(verdict("192.0.2.3").reply, "");
  EXPECT_EQ(verdict("192.0.2.4").action, Action::accept);
  EXPECT_THAT(verdict("192.0.2.5").reply, HasSubstr("451 4.7.25 "));
  EXPECT_EQ(verdict("192.0.2.6").reply, "");
}

TEST_F(UnknownIpTest, NoAnswerIsNeverPermanent) {
  options_.temp_error = Action::reply_550;
  EXPECT_THAT(verdict("192.0.2.6").reply, HasSubstr("451 4.7.25 "));
  check().set_options(options_);
  EXPECT_THAT(verdict("192.0.2.6").reply, HasSubstr("451 4.7.25 "));
}

TEST_F(UnknownIpTest, SkipsBeforeAnyLookup) {
  options_.exempt_networks = {IpNetwork::parse("198.51.100.0/24").value()};
  struct Case {
    const char* client;
    const char* because;
  };
  const Case cases[] = {{"198.51.100.7", "exempt network"},    {"127.0.0.1", "loopback address"},
                        {"::1", "loopback address"},           {"10.0.0.2", "private address"},
                        {"100.64.0.1", "private address"},     {"fd00::1", "private address"},
                        {"169.254.1.1", "link-local address"}, {"fe80::1", "link-local address"}};
  for (const Case& c : cases) {
    const auto pending = start(c.client);
    ASSERT_NE(pending->ready(), nullptr) << c.client;
    EXPECT_EQ(pending->ready()->state, UnknownIpState::skipped);
    EXPECT_EQ(pending->ready()->skipped_because, c.because) << c.client;
    EXPECT_EQ(pending->ready()->reply, "");
  }
  options_.mode = UnknownIpMode::off;
  check().set_options(options_);
  EXPECT_EQ(start("192.0.2.2")->ready()->skipped_because, "option off");
  EXPECT_TRUE(resolver_.take_lookups().empty());
  EXPECT_EQ(UnknownIpCheck::skipped("authenticated")->ready()->skipped_because, "authenticated");
}

TEST_F(UnknownIpTest, ChecksPrivateAddressesWhenAsked) {
  options_.check_private = true;
  EXPECT_EQ(verdict("10.0.0.1").state, UnknownIpState::mismatch);
  EXPECT_EQ(verdict("127.0.0.1").state, UnknownIpState::no_ptr);
}

TEST_F(UnknownIpTest, ObserveOnlyRecords) {
  options_.mode = UnknownIpMode::observe;
  const UnknownIpVerdict found = verdict("192.0.2.2");
  EXPECT_FALSE(found.enforced);
  EXPECT_EQ(found.action, Action::reply_450);
  EXPECT_THAT(found.reply, HasSubstr("no PTR record"));
}

TEST_F(UnknownIpTest, CoalescesAndCaches) {
  resolver_.set_latency(1s);
  const auto first = start("192.0.2.2");
  const auto second = start("192.0.2.2");
  EXPECT_EQ(first->ready(), nullptr);
  EXPECT_EQ(check().under_way(), 1U);
  EXPECT_NE(verdict(first).case_id, verdict(second).case_id) << "each client has its own case";
  EXPECT_EQ(verdict(first).case_id, verdict(first).case_id) << "and keeps it";
  EXPECT_EQ(resolver_.take_lookups().size(), 1U);
  EXPECT_NE(start("192.0.2.2")->ready(), nullptr) << "from the cache";
  EXPECT_NE(start("::ffff:192.0.2.2")->ready(), nullptr) << "the same client";
}

TEST_F(UnknownIpTest, ForgetsInTime) {
  dns::Zone zone = dns::Zone::parse(
                       "[192.0.2.1] 7200 PTR a.example\na.example 7000 A 192.0.2.1\n"
                       "[192.0.2.5] 7200 PTR b.example\nb.example 7200 A 192.0.2.9\n"
                       "[192.0.2.7] 0 PTR a.example\n[192.0.2.6] SERVFAIL\n")
                       .value();
  resolver_.set_zone(std::move(zone));
  struct Case {
    const char* client;
    Duration kept;
    const char* reason;
  };
  const Case cases[] = {{"192.0.2.1", 7000s, "the smallest TTL met"},
                        {"192.0.2.5", 300s, "a failure: five minutes at most"},
                        {"192.0.2.2", 60s, "the negative TTL"},
                        {"192.0.2.6", 5s, "undetermined: seconds"},
                        {"192.0.2.7", 0s, "TTL 0"}};
  for (const Case& c : cases) {
    verdict(c.client);
    if (c.kept > 0s) {
      EXPECT_TRUE(sim_.run_for(c.kept - 1s));
      EXPECT_NE(start(c.client)->ready(), nullptr) << c.reason;
      EXPECT_TRUE(sim_.run_for(1s));
    }
    const auto again = start(c.client);
    EXPECT_EQ(again->ready(), nullptr) << c.reason;
    verdict(again);
  }
}

TEST_F(UnknownIpTest, CacheIsBoundedByUse) {
  options_.cache_entries_max = 2;
  verdict("192.0.2.1");
  verdict("192.0.2.2");
  verdict("192.0.2.1");
  verdict("192.0.2.3");
  EXPECT_EQ(check().cached(), 2U);
  EXPECT_NE(start("192.0.2.1")->ready(), nullptr) << "used after 192.0.2.2";
  EXPECT_EQ(start("192.0.2.2")->ready(), nullptr);
}

TEST_F(UnknownIpTest, APassOutlivesAnOutageOfTheDns) {
  verdict("192.0.2.1");
  verdict("192.0.2.2");
  resolver_.set_zone(dns::Zone::parse("[192.0.2.1] SERVFAIL\n[192.0.2.2] SERVFAIL\n").value());
  EXPECT_TRUE(sim_.run_for(301s));
  const UnknownIpVerdict stale = verdict("192.0.2.1");
  EXPECT_EQ(stale.state, UnknownIpState::pass);
  EXPECT_TRUE(stale.stale);
  EXPECT_EQ(stale.iprev->confirmed_name, "mail.example.com");
  EXPECT_THAT(verdict("192.0.2.2").reply, HasSubstr("451 4.7.25")) << "a refusal does not";

  resolver_.take_lookups();
  EXPECT_TRUE(sim_.run_for(6s));
  EXPECT_NE(start("192.0.2.1")->ready(), nullptr) << "nobody waits";
  EXPECT_NE(start("192.0.2.1")->ready(), nullptr);
  EXPECT_TRUE(sim_.run_for(1s));
  EXPECT_EQ(resolver_.take_lookups().size(), 1U) << "one lookup in the background";

  resolver_.set_zone(dns::Zone::parse(zone_text).value());
  EXPECT_TRUE(sim_.run_for(10s));
  EXPECT_TRUE(start("192.0.2.1")->ready()->stale);
  EXPECT_TRUE(sim_.run_for(1s));
  EXPECT_FALSE(start("192.0.2.1")->ready()->stale) << "the DNS is back";
}

/// An override with one condition.
Override override_by(std::string Override::* condition, const char* domain, Action action) {
  Override made;
  made.*condition = domain;
  made.action = action;
  return made;
}

TEST_F(UnknownIpTest, AStaleNameRefusesNobodyForGood) {
  options_.overrides =
      Overrides({override_by(&Override::ptr_domain, ".example.com", Action::reply_550)});
  EXPECT_THAT(override_of(start("192.0.2.1")).reply, HasSubstr("550 5.7.1 "));
  resolver_.set_zone(dns::Zone::parse("[192.0.2.1] SERVFAIL\n").value());
  EXPECT_TRUE(sim_.run_for(301s));
  EXPECT_THAT(override_of(start("192.0.2.1")).reply, HasSubstr("451 4.7.1 "));
}

TEST_F(UnknownIpTest, AnOverrideByNameDoesNotDependOnWhichNameAnswersFirst) {
  const std::string names =
      "[192.0.2.9] PTR a.other.example\n[192.0.2.9] PTR b.good.example\n"
      "[192.0.2.10] PTR a.other.example\n[192.0.2.10] PTR b.good.example\n"
      "a.other.example A 192.0.2.9\na.other.example A 192.0.2.10\n";
  resolver_.set_zone(dns::Zone::parse(names + "b.good.example TIMEOUT\n").value());
  const SteadyTime begun = sim_.now();
  EXPECT_EQ(verdict("192.0.2.10").state, UnknownIpState::pass);
  EXPECT_EQ(sim_.now(), begun) << "no override asks for another name";

  Override neighbours;
  neighbours.network = IpNetwork::parse("192.0.2.0/24");
  neighbours.action = Action::reply_550;
  Override good = neighbours;
  good.ptr_domain = ".good.example";
  good.action = Action::accept;
  options_.overrides = Overrides({neighbours, good});
  check().set_options(options_);
  EXPECT_THAT(override_of(start("192.0.2.9")).reply, HasSubstr("451 4.7.1 "))
      << "it might be spared";
  EXPECT_EQ(sim_.now() - begun, 8s) << "waits for the name";
  EXPECT_NE(start("192.0.2.9")->ready(), nullptr);
  EXPECT_TRUE(sim_.run_for(5s));
  EXPECT_EQ(start("192.0.2.9")->ready(), nullptr) << "asks again soon";
  resolver_.set_zone(dns::Zone::parse(names + "b.good.example A 192.0.2.9\n").value());
  EXPECT_TRUE(sim_.run_for(20s));
  EXPECT_EQ(override_of(start("192.0.2.9")).action, Action::accept);
}

TEST_F(UnknownIpTest, TheSameFindingForHoursBecomesPermanent) {
  options_.escalation = {.enabled = true, .after_attempts = 3, .after = 1h};
  const auto code = [this](std::string_view client) {
    const auto pending = start(client);
    const UnknownIpVerdict found = verdict(pending);
    EXPECT_EQ(found.escalated, found.action == Action::reply_550);
    if (!found.reply.empty()) pending->note_refusal();
    return found.reply.substr(0, 10);
  };
  EXPECT_EQ(code("192.0.2.5"), "450 4.7.25");
  EXPECT_EQ(code("192.0.2.5"), "450 4.7.25");
  EXPECT_TRUE(sim_.run_for(31min));
  EXPECT_EQ(code("192.0.2.5"), "450 4.7.25");
  EXPECT_TRUE(sim_.run_for(31min));
  EXPECT_EQ(code("192.0.2.2"), "450 4.7.25") << "another client";
  EXPECT_EQ(code("192.0.2.5"), "550 5.7.25");
  resolver_.set_zone(dns::Zone::parse("[192.0.2.5] SERVFAIL\n").value());
  EXPECT_TRUE(sim_.run_for(31min));
  EXPECT_EQ(code("192.0.2.5"), "451 4.7.25") << "no answer is never for good";
  resolver_.set_zone(
      dns::Zone::parse("[192.0.2.5] PTR a.example\na.example A 192.0.2.5\n").value());
  EXPECT_TRUE(sim_.run_for(1min));
  EXPECT_EQ(code("192.0.2.5"), "") << "mended";
  resolver_.set_zone(dns::Zone::parse(zone_text).value());
  EXPECT_TRUE(sim_.run_for(10min));
  EXPECT_EQ(code("192.0.2.5"), "450 4.7.25") << "begins anew";
}

TEST_F(UnknownIpTest, OnlyARefusalThatWasAnsweredCounts) {
  options_.escalation = {.enabled = true, .after_attempts = 3, .after = 1h};
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(verdict("192.0.2.5").reply, HasSubstr("450 4.7.25"))
        << "kept from it, attempt " << i;
    EXPECT_TRUE(sim_.run_for(31min));
  }
}

TEST_F(UnknownIpTest, WhatWasObservedMakesNothingPermanentOnceItIsEnforced) {
  options_.escalation = {.enabled = true, .after_attempts = 3, .after = 1h};
  const auto code = [this](const std::shared_ptr<PendingCheck>& pending) {
    const std::string reply = verdict(pending).reply;
    pending->note_refusal();
    EXPECT_TRUE(sim_.run_for(31min));
    return reply.substr(0, 10);
  };
  options_.mode = UnknownIpMode::observe;
  check().set_options(options_);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(code(start("192.0.2.5")), "450 4.7.25");
  EXPECT_EQ(code(start("192.0.2.5")), "550 5.7.25") << "who would read it is foretold";
  options_.mode = UnknownIpMode::enforce;
  check().set_options(options_);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(code(start("192.0.2.5")), "450 4.7.25");
  EXPECT_EQ(code(start("192.0.2.5")), "550 5.7.25");
  EXPECT_EQ(code(check().start_hop(*IpAddress::parse("192.0.2.5"), KnownHostsDecide::record)),
            "550 5.7.25")
      << "only told: as it was observed before";
}

TEST_F(UnknownIpTest, AnswersEarlyOnlyWhatIsEnforced) {
  options_.answer_at = AnswerAt::mail;
  EXPECT_EQ(start("192.0.2.2")->answer_at(), AnswerAt::mail);
  EXPECT_EQ(start("127.0.0.1")->answer_at(), AnswerAt::rcpt) << "skipped";
  options_.mode = UnknownIpMode::observe;
  check().set_options(options_);
  EXPECT_EQ(start("192.0.2.2")->answer_at(), AnswerAt::rcpt);
}

TEST_F(UnknownIpTest, OverridesCountOnlyForWhatIsKnownWhereItAnswers) {
  options_.overrides =
      Overrides({override_by(&Override::sender_domain, "a.example", Action::accept),
                 override_by(&Override::recipient_domain, "b.example", Action::reply_451)});
  struct Case {
    AnswerAt step;
    const char* sender;
    const char* rule;
  };
  const Case cases[] = {{AnswerAt::rcpt, "a.example", "recipient_domain b.example"},
                        {AnswerAt::rcpt, "c.example", "recipient_domain b.example"},
                        {AnswerAt::mail, "a.example", "sender_domain a.example"},
                        {AnswerAt::mail, "c.example", ""},
                        {AnswerAt::ehlo, "a.example", ""},
                        {AnswerAt::connect, "a.example", ""}};
  for (const UnknownIpMode mode : {UnknownIpMode::enforce, UnknownIpMode::observe}) {
    for (const Case& c : cases) {
      options_.mode = mode;
      options_.answer_at = c.step;
      check().set_options(options_);
      const auto pending = start("192.0.2.2");
      verdict(pending);
      // What is only observed comes to RCPT, whatever answer_at is.
      const AnswerAt step = mode == UnknownIpMode::enforce ? c.step : AnswerAt::rcpt;
      const auto found = pending->override_for(step, c.sender, "b.example");
      EXPECT_EQ(found ? found->name : "", c.rule) << answer_at_name(c.step) << " " << c.sender;
    }
  }
}

TEST_F(UnknownIpTest, OfAKnownHostsMailEverythingIsKnown) {
  options_.overrides =
      Overrides({override_by(&Override::recipient_domain, "b.example", Action::accept)});
  options_.answer_at = AnswerAt::connect;
  for (const UnknownIpMode mode : {UnknownIpMode::enforce, UnknownIpMode::observe}) {
    for (const KnownHostsDecide decide : {KnownHostsDecide::record, KnownHostsDecide::refuse}) {
      options_.mode = mode;
      check().set_options(options_);
      const auto hop = check().start_hop(*IpAddress::parse("192.0.2.2"), decide);
      EXPECT_EQ(override_of(hop).name, "recipient_domain b.example");
      EXPECT_EQ(verdict(hop).enforced,
                mode == UnknownIpMode::enforce && decide == KnownHostsDecide::refuse);
    }
  }
}

/// Answers as another resolver does, from its own cache or not.
class Remembering final : public dns::Resolver {
 public:
  explicit Remembering(dns::Resolver& behind) : behind_(behind) {}
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override {
    dns::Answer answer = co_await behind_.lookup(std::move(name), type, deadline);
    answer.cached = cached;
    co_return answer;
  }
  bool cached = true;

 private:
  dns::Resolver& behind_;
};

TEST_F(UnknownIpTest, WhatTheResolverKnewTellsTheBreakerNothing) {
  Remembering resolver(resolver_);
  UnknownIpCheck remembered(host_.world(), resolver, options_);
  const auto lookups_counted = [this, &remembered] {
    verdict(remembered.start(*IpAddress::parse("192.0.2.6")));
    EXPECT_TRUE(sim_.run_for(6s));
    return remembered.breaker().status().readings.front().total;
  };
  EXPECT_EQ(lookups_counted(), 0U);
  resolver.cached = false;
  EXPECT_EQ(lookups_counted(), 1U);
  EXPECT_TRUE(sim_.run_task(host_, remembered.stop()));
}

TEST(UnknownIpReply, AsAGreeting) {
  EXPECT_EQ(greeting_refusal("450 4.7.25 Client host rejected"), "421 4.7.25 Client host rejected");
  EXPECT_EQ(greeting_refusal("451 4.7.25 x"), "421 4.7.25 x");
  EXPECT_EQ(greeting_refusal("550 5.7.25 x"), "554 5.7.25 x");
}

TEST_F(UnknownIpTest, EndsAtItsDeadline) {
  const SteadyTime begun = sim_.now();
  EXPECT_EQ(verdict("192.0.2.8").state, UnknownIpState::temp_error);
  EXPECT_EQ(sim_.now() - begun, 8s);
}

TEST_F(UnknownIpTest, ReloadReachesNewChecksOnly) {
  resolver_.set_latency(1s);
  options_.overrides =
      Overrides({override_by(&Override::recipient_domain, "b.example", Action::accept)});
  const auto before = start("192.0.2.2");
  options_.no_ptr = Action::accept;
  options_.answer_at = AnswerAt::mail;
  options_.overrides = {};
  check().set_options(options_);
  const auto after = start("192.0.2.2");
  EXPECT_EQ(verdict(before).action, Action::reply_450);
  EXPECT_EQ(verdict(after).action, Action::accept);
  EXPECT_EQ(before->answer_at(), AnswerAt::rcpt);
  EXPECT_EQ(override_of(before).name, "recipient_domain b.example");
  EXPECT_EQ(override_of(after).name, "");
}

TEST_F(UnknownIpTest, StopEndsChecks) {
  const auto pending = start("192.0.2.8");
  resolver_.stop();
  const SteadyTime begun = sim_.now();
  EXPECT_TRUE(sim_.run_task(host_, check().stop()));
  EXPECT_EQ(sim_.now(), begun) << "at once";
  ASSERT_NE(pending->ready(), nullptr);
  EXPECT_EQ(pending->ready()->state, UnknownIpState::temp_error);
  EXPECT_EQ(start("192.0.2.1")->ready()->state, UnknownIpState::temp_error);
}

TEST(UnknownIpReply, IsBoundedAndPrintable) {
  auth::Iprev iprev;
  iprev.address = IpAddress::parse("2001:db8:1111:2222:3333:4444:5555:6666").value();
  auth::IprevName name;
  name.name = std::string(240, 'a') + "\r\n250 evil\x80";
  name.usable = true;
  for (int i = 0; i < 300; ++i) name.addresses.push_back(iprev.address);
  iprev.names.push_back(name);
  for (const UnknownIpState state : {UnknownIpState::bad_name, UnknownIpState::no_forward,
                                     UnknownIpState::mismatch, UnknownIpState::temp_error}) {
    const std::string reply =
        refusal_reply(state, iprev, Action::reply_450, ReplyStyle::postern, "4F7KQ2");
    EXPECT_LE(reply.size(), 510U);
    EXPECT_TRUE(std::ranges::all_of(reply, ascii_printable)) << reply;
  }
  iprev.names[0].name = "a\r\n250 ok";
  EXPECT_THAT(refusal_reply(UnknownIpState::bad_name, iprev, Action::reply_450, ReplyStyle::postern,
                            "4F7KQ2"),
              HasSubstr("\"a\\x0d\\x0a250 ok\" (case 4F7KQ2)"));
}

TEST(UnknownIpReply, ShowsNamesAsDigDoes) {
  auth::Iprev iprev;
  iprev.address = IpAddress::parse("192.0.2.7").value();
  iprev.names.emplace_back().name = "a\\032b.example.com";
  EXPECT_THAT(refusal_reply(UnknownIpState::bad_name, iprev, Action::reply_450, ReplyStyle::postern,
                            "4F7KQ2"),
              HasSubstr("\"a\\032b.example.com\""));
}

}  // namespace
}  // namespace postern::policy
