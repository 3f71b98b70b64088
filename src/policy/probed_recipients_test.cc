#include "policy/probed_recipients.h"

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "io/sim/sim_world.h"
#include "policy/recipient_check.h"

namespace postern::policy {
namespace {

using namespace std::chrono_literals;

const ProbeAnswer exists{ProbeState::exists, "2.1.5", "250 2.1.5 ok"};
const ProbeAnswer unknown{ProbeState::unknown, "5.1.1", "550 5.1.1 no such user"};
const ProbeAnswer down{ProbeState::undecided, "4.4.1", "connection refused"};

/// A next hop that answers after `delay`, and counts.
class FakeProbe final : public RecipientProbe {
 public:
  explicit FakeProbe(io::Clock& clock) : clock_(clock) {}
  io::Task<ProbeAnswer> ask(mail::Mailbox recipient) override {
    ++asked[recipient.address()];
    ++asked_in_all;
    co_await clock_.sleep_for(delay);
    const auto found = answers.find(recipient.address());
    co_return found == answers.end() ? usual : found->second;
  }

  std::map<std::string, ProbeAnswer> answers;
  ProbeAnswer usual = unknown;
  Duration delay = 10ms;
  std::map<std::string, int> asked;
  std::size_t asked_in_all = 0;

 private:
  io::Clock& clock_;
};

class ProbedRecipientsTest : public testing::Test {
 protected:
  ~ProbedRecipientsTest() override { EXPECT_TRUE(sim_.run_task(host_, recipients_.stop())); }

  static io::Task<> find_into(ProbedRecipients* from, mail::Mailbox recipient, Patience patience,
                              ProbeAnswer* answer) {
    *answer = co_await from->find(std::move(recipient), patience);
  }
  ProbeAnswer find(std::string_view address, Patience patience = Patience::wait) {
    ProbeAnswer found;
    const auto begun = sim_.now();
    EXPECT_TRUE(sim_.run_task(
        host_, find_into(&recipients_, *mail::parse_mailbox(address), patience, &found)));
    waited_ = sim_.now() - begun;
    return found;
  }
  ProbeState state(std::string_view address) { return find(address).state; }
  void pass(Duration time) { EXPECT_TRUE(sim_.run_for(time)); }

  io::SimWorld sim_{1};
  io::SimHost& host_ = sim_.add_host("mx", *IpAddress::parse("192.0.2.250"));
  FakeProbe probe_{host_.world().clock};
  ProbedRecipients recipients_{host_.world(), probe_, {}};
  Duration waited_{};
};

TEST_F(ProbedRecipientsTest, RemembersWhatTheNextHopSaid) {
  probe_.answers = {{"bob@example.com", exists}, {"busy@example.com", down}};
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  EXPECT_EQ(waited_, 10ms);
  EXPECT_EQ(find("carol@example.com"), unknown);
  EXPECT_EQ(find("busy@example.com"), down);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  EXPECT_EQ(waited_, 0ms);
  EXPECT_EQ(state("bob@EXAMPLE.com"), ProbeState::exists) << "a domain has no case";
  EXPECT_EQ(find("carol@example.com"), unknown);
  EXPECT_EQ(find("busy@example.com"), down);
  EXPECT_EQ(probe_.asked_in_all, 3U);
  EXPECT_EQ(find("BOB@example.com"), unknown) << "local parts have";
  EXPECT_EQ(recipients_.known(), 1U);
  EXPECT_EQ(recipients_.others(), 3U);
  EXPECT_EQ(recipients_.under_way(), 0U);
}

TEST_F(ProbedRecipientsTest, OneRecipientIsAskedAboutOnceAtATime) {
  probe_.usual = exists;
  std::vector<ProbeAnswer> answers(20);
  for (ProbeAnswer& answer : answers)
    host_.spawn("client", find_into(&recipients_, {"bob", "example.com"}, Patience::wait, &answer));
  pass(1s);
  for (const ProbeAnswer& answer : answers) EXPECT_EQ(answer.state, ProbeState::exists);
  EXPECT_EQ(probe_.asked_in_all, 1U);
}

TEST_F(ProbedRecipientsTest, AClientWaitsOnlySoLongAndFindsTheAnswerLater) {
  probe_.usual = exists;
  probe_.delay = 20s;
  const ProbeAnswer late = find("bob@example.com");
  EXPECT_EQ(late.state, ProbeState::undecided);
  EXPECT_TRUE(late.timed_out);
  EXPECT_EQ(waited_, 6s);
  EXPECT_TRUE(find("bob@example.com").timed_out);
  EXPECT_EQ(waited_, 0s) << "it has had its time";
  EXPECT_TRUE(find("carol@example.com", Patience::none).timed_out);
  EXPECT_EQ(waited_, 0s);
  pass(30s);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  EXPECT_EQ(find("carol@example.com", Patience::none).state, ProbeState::exists);
  EXPECT_EQ(probe_.asked_in_all, 2U);
}

TEST_F(ProbedRecipientsTest, AKnownRecipientIsRefreshedInPassing) {
  probe_.usual = exists;
  find("bob@example.com");
  pass(7 * 24h);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  EXPECT_EQ(waited_, 0s);
  pass(1s);
  EXPECT_EQ(probe_.asked_in_all, 2U);
  // The next hop is down: the old answer counts to its end, and is asked again now and then.
  probe_.usual = down;
  pass(8 * 24h);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
    pass(10s);
  }
  EXPECT_EQ(probe_.asked_in_all, 3U);
  pass(1min);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  pass(1s);
  EXPECT_EQ(probe_.asked_in_all, 4U);
  pass(23 * 24h);
  EXPECT_EQ(find("bob@example.com"), down) << "31 days after the last answer";
  // And it may come to be unknown.
  probe_.usual = exists;
  pass(1min);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  probe_.usual = unknown;
  pass(8 * 24h);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  pass(1s);
  EXPECT_EQ(state("bob@example.com"), ProbeState::unknown);
  EXPECT_EQ(recipients_.known(), 0U);
}

TEST_F(ProbedRecipientsTest, AnUnknownRecipientMayComeIntoBeing) {
  find("bob@example.com");
  probe_.usual = exists;
  pass(2h);
  EXPECT_EQ(state("bob@example.com"), ProbeState::unknown);
  EXPECT_EQ(probe_.asked_in_all, 1U);
  pass(1h);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists) << "the first mail after it is taken";
  // Unknown, and the next hop down: for three days the old answer counts.
  probe_.usual = unknown;
  find("carol@example.com");
  probe_.usual = down;
  pass(2 * 24h);
  EXPECT_EQ(state("carol@example.com"), ProbeState::unknown);
  pass(24h);
  EXPECT_EQ(state("carol@example.com"), ProbeState::undecided);
}

TEST_F(ProbedRecipientsTest, AReloadForgetsWhoIsUnknown) {
  probe_.answers = {{"bob@example.com", exists}};
  find("bob@example.com");
  find("carol@example.com");
  recipients_.set_options({});
  EXPECT_EQ(recipients_.others(), 0U);
  probe_.usual = exists;
  EXPECT_EQ(state("carol@example.com"), ProbeState::exists);
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
  EXPECT_EQ(probe_.asked_in_all, 3U);
}

TEST_F(ProbedRecipientsTest, NoAnswerIsRememberedShortly) {
  probe_.usual = down;
  find("bob@example.com");
  pass(20s);
  find("bob@example.com");
  EXPECT_EQ(probe_.asked_in_all, 1U);
  pass(10s);
  probe_.usual = exists;
  EXPECT_EQ(state("bob@example.com"), ProbeState::exists);
}

TEST_F(ProbedRecipientsTest, GuessesCannotPushOutWhoExists) {
  ProbeOptions options;
  options.entries_max = 10;
  recipients_.set_options(options);
  probe_.answers = {{"bob@example.com", exists}};
  find("bob@example.com");
  for (int i = 0; i < 50; ++i) find("guess" + std::to_string(i) + "@example.com");
  EXPECT_EQ(recipients_.known(), 1U);
  EXPECT_EQ(recipients_.others(), 10U);
  EXPECT_EQ(probe_.asked_in_all, 51U);
  find("guess49@example.com");
  find("bob@example.com");
  EXPECT_EQ(probe_.asked_in_all, 51U);
  find("guess39@example.com");
  EXPECT_EQ(probe_.asked_in_all, 52U) << "the one used least had gone";
  find("guess41@example.com");
  EXPECT_EQ(probe_.asked_in_all, 52U);
}

TEST_F(ProbedRecipientsTest, QuestionsAreBounded) {
  probe_.delay = 5s;
  std::vector<ProbeAnswer> answers(ProbedRecipients::asks_max + 1);
  for (std::size_t i = 0; i < answers.size(); ++i)
    host_.spawn("client", find_into(&recipients_, {"u" + std::to_string(i), "example.com"},
                                    Patience::wait, &answers[i]));
  pass(1min);
  EXPECT_EQ(probe_.asked_in_all, ProbedRecipients::asks_max);
  EXPECT_EQ(answers.front().state, ProbeState::unknown);
  EXPECT_EQ(answers.back().state, ProbeState::undecided);
  EXPECT_EQ(answers.back().reply, "too many recipients are being asked about");
}

TEST_F(ProbedRecipientsTest, WhoWaitsIsToldWhenTheServerStops) {
  probe_.delay = 4s;
  ProbeAnswer answer{ProbeState::exists, {}, {}};
  host_.spawn("client", find_into(&recipients_, {"bob", "example.com"}, Patience::wait, &answer));
  pass(1s);
  EXPECT_TRUE(sim_.run_task(host_, recipients_.stop()));
  EXPECT_EQ(answer.state, ProbeState::undecided);
  EXPECT_EQ(find("carol@example.com").reply, "the server is stopping");
  EXPECT_EQ(waited_, 0s);
}

class ProbeRule : public ProbedRecipientsTest {
 protected:
  ProbeRule() { set(WhenUnknown::reply_550, WhenUndecided::reply_450); }
  ~ProbeRule() override { EXPECT_TRUE(sim_.run_task(host_, check_.stop())); }
  void set(WhenUnknown when_unknown, WhenUndecided when_undecided) {
    RecipientOptions options;
    options.rules.emplace_back();
    options.rules[0].domain = "example.com";
    options.rules[0].source = RecipientSource::probe;
    options.rules[0].when_unknown = when_unknown;
    options.rules[0].when_undecided = when_undecided;
    check_.set_options(std::move(options));
  }
  static io::Task<> check_into(RecipientCheck* check, mail::Mailbox mailbox,
                               RecipientVerdict* verdict) {
    *verdict = co_await check->check(std::move(mailbox), Patience::wait);
  }
  RecipientVerdict verdict(std::string_view address) {
    RecipientVerdict found;
    EXPECT_TRUE(sim_.run_task(host_, check_into(&check_, *mail::parse_mailbox(address), &found)));
    return found;
  }
  RecipientCheck check_{host_.world(), &probe_, {}};
};

TEST_F(ProbeRule, SaysWhatTheNextHopSaid) {
  probe_.answers = {{"bob@example.com", exists},
                    {"busy@example.com", down},
                    {"gone@example.com", {ProbeState::unknown, "5.1.6", "550-5.1.6 moved"}},
                    {"old@example.com", {ProbeState::unknown, "", "550 who?"}}};
  EXPECT_EQ(verdict("bob@example.com").reply, "");
  EXPECT_EQ(verdict("bob@example.com").state, RecipientState::known);
  const RecipientVerdict refused = verdict("carol@example.com");
  EXPECT_EQ(refused.reply,
            "550 5.1.1 <carol@example.com>: Recipient address rejected: undeliverable address: its "
            "server says: 550 5.1.1 no such user");
  EXPECT_EQ(refused.state, RecipientState::unknown);
  EXPECT_EQ(refused.source, RecipientSource::probe);
  EXPECT_EQ(refused.cause, "550 5.1.1 no such user");
  EXPECT_TRUE(verdict("gone@example.com").reply.starts_with("550 5.1.6 <gone@example.com>: "));
  EXPECT_TRUE(verdict("old@example.com").reply.starts_with("550 5.1.1 <old@example.com>: "));
  const RecipientVerdict later = verdict("busy@example.com");
  EXPECT_EQ(later.reply,
            "450 4.4.3 <busy@example.com>: Recipient address rejected: unverified address: its "
            "server cannot be asked now, try again later");
  EXPECT_EQ(later.state, RecipientState::undecided);
  EXPECT_EQ(later.cause, "connection refused");
}

TEST_F(ProbeRule, DoesWhatTheOperatorWants) {
  set(WhenUnknown::reply_450, WhenUndecided::accept);
  probe_.answers = {{"busy@example.com", down}};
  EXPECT_TRUE(verdict("carol@example.com").reply.starts_with("450 4.1.1 <carol@example.com>: "));
  EXPECT_EQ(verdict("busy@example.com").reply, "");
  EXPECT_EQ(verdict("busy@example.com").state, RecipientState::undecided);
  probe_.asked_in_all = 0;
  EXPECT_EQ(verdict("Postmaster@example.com").state, RecipientState::unchecked);
  EXPECT_EQ(verdict("bob@example.net").state, RecipientState::unchecked);
  EXPECT_EQ(probe_.asked_in_all, 0U) << "nothing to ask";
}

TEST_F(ProbeRule, RepliesAreBoundedAndPrintable) {
  const mail::Mailbox long_one{std::string(240, '\\'), "example.com"};
  const ProbeAnswer answer{ProbeState::unknown, "5.999.999", "550 \r\n" + std::string(900, '\x80')};
  const std::string reply = unknown_reply(long_one, WhenUnknown::reply_550, answer);
  EXPECT_LE(reply.size(), 510U);
  EXPECT_FALSE(reply.contains('\n'));
  EXPECT_LE(undecided_reply(long_one).size(), 510U);
}

}  // namespace
}  // namespace postern::policy
