#include "app/escalation_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::app {
namespace {

using namespace std::chrono_literals;
using policy::Action;
using policy::UnknownIpState;
using testing::EndsWith;
using testing::HasSubstr;

TEST(EscalationText, TellsWhenEachServerWouldReport) {
  upstream::Profile steady;
  steady.product = "Steady";
  steady.retry = {30min};
  steady.then = 30min;
  steady.give_up = 5 * 24h;
  upstream::Profile hasty;
  hasty.product = "Hasty";
  hasty.retry = {1min, 1min};
  hasty.give_up = 3min;
  upstream::Profile silent = steady;
  silent.product = "Silent";
  silent.reports = false;
  const std::vector<upstream::Candidate> upstreams{
      {.profile = &steady}, {.profile = &silent}, {.profile = &hasty}};
  const policy::EscalationOptions on{.enabled = true, .after_attempts = 3, .after = 1h};

  const std::string text =
      escalation_text(on, UnknownIpState::no_ptr, Action::reply_450, upstreams);
  EXPECT_THAT(text, HasSubstr("after 3 attempts in 1h or more"));
  EXPECT_THAT(text, HasSubstr("  Steady: after 1h, not only after 5d\n"));
  EXPECT_THAT(text, HasSubstr("  Silent: nobody is told either way\n"));
  EXPECT_THAT(text, EndsWith("  Hasty: gives up before\n"));
  EXPECT_THAT(escalation_text({}, UnknownIpState::mismatch, Action::reply_450, upstreams),
              HasSubstr("Escalation: off"));
}

TEST(EscalationText, SaysNothingWhereNothingEscalates) {
  const policy::EscalationOptions on{.enabled = true};
  EXPECT_EQ(escalation_text(on, UnknownIpState::temp_error, Action::reply_451, {}), "");
  EXPECT_EQ(escalation_text(on, UnknownIpState::no_ptr, Action::reply_550, {}), "");
  EXPECT_EQ(escalation_text(on, UnknownIpState::no_ptr, Action::tag, {}), "");
  EXPECT_EQ(escalation_text(on, UnknownIpState::pass, Action::accept, {}), "");
}

}  // namespace
}  // namespace postern::app
