#include "policy/escalation.h"

#include <gtest/gtest.h>

#include "policy/escalation_forecast.h"
#include "policy/unknown_ip.h"

namespace postern::policy {
namespace {

using namespace std::chrono_literals;

constexpr EscalationOptions enabled{.enabled = true, .after_attempts = 4, .after = 2h};

/// Evidence by a letter: names and addresses that differ with it.
auth::Iprev evidence(char letter) {
  auth::Iprev iprev;
  iprev.address = *IpAddress::parse("192.0.2.7");
  iprev.ptr_status = dns::Status::ok;
  auth::IprevName name;
  name.name = std::string(1, letter) + ".example";
  name.addresses = {*IpAddress::parse("198.51.100.1"), *IpAddress::parse("198.51.100.2")};
  iprev.names = {name};
  return iprev;
}

/// A refusal: whether it was permanent.
bool attempt(Escalation& escalation, const IpAddress& client, UnknownIpState state,
             const auth::Iprev& iprev, SteadyTime now, const EscalationOptions& options) {
  const bool permanent = escalation.is_due(client, state, iprev, now, options);
  escalation.note(client, state, iprev, now);
  return permanent;
}

struct Attempt {
  Duration at;
  UnknownIpState state;
  char evidence = 'a';
};

struct Case {
  const char* reason;
  std::vector<Attempt> attempts;
  bool permanent;  ///< the last one
  EscalationOptions options = enabled;
};

constexpr auto no_ptr = UnknownIpState::no_ptr;
constexpr auto mismatch = UnknownIpState::mismatch;
constexpr auto temp_error = UnknownIpState::temp_error;
constexpr auto pass = UnknownIpState::pass;

std::vector<Case> cases() {
  return {
      {"the first attempt", {{0h, no_ptr}}, false},
      {"often and long enough", {{0h, no_ptr}, {1h, no_ptr}, {2h, no_ptr}, {3h, no_ptr}}, true},
      {"exactly so", {{0h, no_ptr}, {30min, no_ptr}, {1h, no_ptr}, {2h, no_ptr}}, true},
      {"often, and not long",
       {{0h, no_ptr}, {30min, no_ptr}, {1h, no_ptr}, {90min, no_ptr}},
       false},
      {"long, and not often", {{0h, no_ptr}, {5h, no_ptr}, {10h, no_ptr}}, false},
      {"a storm of retries is one attempt",
       {{0h, no_ptr}, {1min, no_ptr}, {2min, no_ptr}, {3min, no_ptr}, {4min, no_ptr}, {3h, no_ptr}},
       false},
      {"attempts that come each minute count each five minutes",
       {{0h, no_ptr},
        {4min, no_ptr},
        {5min, no_ptr},
        {9min, no_ptr},
        {10min, no_ptr},
        {2h, no_ptr}},
       true},
      {"one pass begins anew",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, pass}, {3h, no_ptr}, {4h, no_ptr}, {5h, no_ptr}},
       false},
      {"another state begins anew",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, mismatch}, {3h, mismatch}, {4h, mismatch}},
       false},
      {"other evidence begins anew",
       {{0h, mismatch, 'a'}, {1h, mismatch, 'a'}, {2h, mismatch, 'b'}, {3h, mismatch, 'b'}},
       false},
      {"and then counts by itself",
       {{0h, mismatch, 'a'},
        {1h, mismatch, 'b'},
        {2h, mismatch, 'b'},
        {3h, mismatch, 'b'},
        {4h, mismatch, 'b'}},
       true},
      {"a lookup without an answer never escalates",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, no_ptr}, {3h, no_ptr}, {4h, temp_error}},
       false},
      {"and says nothing either way",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, temp_error}, {3h, no_ptr}, {4h, no_ptr}},
       true},
      {"only lookups without an answer",
       {{0h, temp_error}, {1h, temp_error}, {2h, temp_error}, {3h, temp_error}, {9h, temp_error}},
       false},
      {"silence for more than a day begins anew",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, no_ptr}, {27h, no_ptr}},
       false},
      {"not enabled",
       {{0h, no_ptr}, {1h, no_ptr}, {2h, no_ptr}, {3h, no_ptr}},
       false,
       {.enabled = false, .after_attempts = 4, .after = 2h}},
  };
}

TEST(Escalation, WaitsUntilTheDnsHasSaidItLongAndOften) {
  for (const Case& c : cases()) {
    Escalation escalation(10);
    const SteadyTime start{100h};
    bool permanent = false;
    for (std::size_t i = 0; i < c.attempts.size(); ++i) {
      const Attempt& made = c.attempts[i];
      const auth::Iprev iprev = made.state == mismatch ? evidence(made.evidence) : auth::Iprev{};
      permanent = attempt(escalation, *IpAddress::parse("192.0.2.7"), made.state, iprev,
                          start + made.at, c.options);
      if (i + 1 < c.attempts.size()) EXPECT_FALSE(permanent && made.state == temp_error);
    }
    EXPECT_EQ(permanent, c.permanent) << c.reason;
  }
}

TEST(Escalation, EachAddressByItself) {
  Escalation escalation(10);
  bool permanent = false;
  for (int hour = 0; hour < 9; ++hour)
    permanent = attempt(escalation, *IpAddress::parse(hour % 3 == 0 ? "192.0.2.7" : "192.0.2.8"),
                        no_ptr, {}, SteadyTime(hour * 1h), enabled);
  EXPECT_TRUE(permanent) << "192.0.2.8, six times";
  EXPECT_FALSE(
      escalation.is_due(*IpAddress::parse("192.0.2.7"), no_ptr, {}, SteadyTime(6h + 1min), enabled))
      << "three times";
}

TEST(Escalation, ForgetsWhoWasNotSeenForLongest) {
  Escalation escalation(2);
  const IpAddress a = *IpAddress::parse("192.0.2.1");
  const IpAddress b = *IpAddress::parse("192.0.2.2");
  const IpAddress c = *IpAddress::parse("192.0.2.3");
  escalation.note(a, no_ptr, {}, SteadyTime(0h));
  escalation.note(b, no_ptr, {}, SteadyTime(1h));
  escalation.note(a, no_ptr, {}, SteadyTime(2h));
  escalation.note(c, no_ptr, {}, SteadyTime(3h));
  EXPECT_EQ(escalation.size(), 2U);
  EXPECT_EQ(escalation.find(b), nullptr);
  ASSERT_NE(escalation.find(a), nullptr);
  EXPECT_EQ(escalation.find(a)->attempts, 2U);
  EXPECT_EQ(escalation.find(a)->first, SteadyTime(0h));
}

TEST(Escalation, IsForeseenFromAServersAttempts) {
  const Duration often[] = {0min, 5min, 10min, 30min, 1h, 2h, 3h};
  EXPECT_EQ(escalates_after(often, enabled), 2h);
  const Duration given_up[] = {0min, 5min, 10min, 30min, 1h};
  EXPECT_EQ(escalates_after(given_up, enabled), std::nullopt);
  const Duration seldom[] = {0h, 30h, 60h, 90h, 120h};
  EXPECT_EQ(escalates_after(seldom, enabled), std::nullopt);
  EXPECT_EQ(escalates_after(often, {}), std::nullopt) << "not enabled";
}

TEST(Escalation, EvidenceIsWhatTheDnsSaysAndNotInWhichOrder) {
  auth::Iprev iprev = evidence('a');
  const std::uint64_t before = evidence_of(mismatch, iprev);
  std::swap(iprev.names[0].addresses[0], iprev.names[0].addresses[1]);
  iprev.names[0].ttl_seconds = 17;
  EXPECT_EQ(evidence_of(mismatch, iprev), before) << "round robin";
  iprev.names[0].addresses.pop_back();
  EXPECT_NE(evidence_of(mismatch, iprev), before) << "another address";
  EXPECT_NE(evidence_of(UnknownIpState::no_forward, iprev), evidence_of(mismatch, iprev));
}

}  // namespace
}  // namespace postern::policy
