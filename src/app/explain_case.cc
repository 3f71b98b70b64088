#include "app/explain_case.h"

#include <algorithm>

#include "base/check.h"

namespace postern::app {
namespace {

using ledger::RecordedRefusal;

/// A recipient that was tried more often tells more of its server.
const CaseRecipient& most_tried(const std::vector<CaseRecipient>& recipients) {
  return *std::ranges::max_element(recipients, {}, [](const CaseRecipient& recipient) {
    return recipient.deferral ? recipient.deferral->deferral.attempts_count : 0;
  });
}

/// Overrides may have let some recipients in.
const RecordedRefusal& told_in_full(const ledger::Case& found) {
  const auto refused =
      std::ranges::find(found.recipients, ledger::Effect::refused,
                        [](const RecordedRefusal& recorded) { return recorded.refusal.effect; });
  return refused == found.recipients.end() ? found.recipients.front() : *refused;
}

/// As far as what is known of the mail tells.
policy::AnswerAt answered_at(const ledger::Refusal& refusal) {
  if (!refusal.recipient.empty()) return policy::AnswerAt::rcpt;
  if (!refusal.sender.empty()) return policy::AnswerAt::mail;
  const bool greeting = refusal.reply.starts_with("421") || refusal.reply.starts_with("554");
  return greeting ? policy::AnswerAt::connect : policy::AnswerAt::ehlo;
}

Explanation explanation_of(const ledger::Refusal& refusal) {
  Explanation told;
  told.client = refusal.client;
  told.helo = refusal.helo;
  told.sender = refusal.sender;
  told.recipient = refusal.recipient;
  told.iprev = *refusal.lookups;
  told.state = state_named(refusal.state).value_or(policy::classify(told.iprev));
  told.action = action_named(refusal.action).value_or(policy::Action::reply_450);
  told.reply = refusal.reply;
  told.case_id = refusal.case_id;
  told.answered_at = answered_at(refusal);
  told.remedy = policy::remedy_for(told.state, told.iprev, told.helo);
  told.first_attempt = told.last_attempt = refusal.time;
  return told;
}

Result<> take_attempts(const CaseRecipient& recipient, const std::string& profile,
                       Explanation& told) {
  const ledger::Refusal& refusal = recipient.recorded.refusal;
  upstream::Habits seen{
      .attempts = {told.first_attempt}, .helo = refusal.helo, .greeting = refusal.greeting};
  if (recipient.deferral) {
    const ledger::Deferral& deferral = recipient.deferral->deferral;
    seen = ledger::habits_of(deferral);
    told.first_attempt = deferral.attempts.front();
    told.last_attempt = deferral.last_attempt;
    told.attempts = deferral.attempts_count;
  }
  TRY(told.upstreams, upstreams_of(profile, seen));
  return {};
}

}  // namespace

Result<RecordedCase> recorded_case(ledger::Archive& archive, std::vector<ledger::Case> found,
                                   WallTime now, const std::string& profile) {
  CHECK(!found.empty() && !found.front().recipients.empty());
  RecordedCase recorded;
  recorded.now = now;
  for (std::size_t i = 1; i < found.size(); ++i)
    recorded.same_id.push_back(found[i].recipients.front().refusal.time);
  ledger::Case& newest = found.front();
  recorded.recipients_left_out = newest.left_out;
  recorded.answer = told_in_full(newest).refusal;
  recorded.case_id = recorded.answer.case_id;
  recorded.looked_up = told_in_full(newest).looked_up;
  recorded.told = explanation_of(recorded.answer);
  for (RecordedRefusal& refusal : newest.recipients) {
    CaseRecipient recipient{.recorded = std::move(refusal), .deferral = {}, .assessment = {}};
    if (recipient.recorded.deferral) {
      TRY(recipient.deferral, archive.find_deferral(*recipient.recorded.deferral));
    }
    if (recipient.deferral)
      recipient.assessment =
          ledger::assess(recipient.deferral->deferral, now, upstream::shipped_profiles_read());
    recorded.recipients.push_back(std::move(recipient));
  }
  const CaseRecipient& tried = most_tried(recorded.recipients);
  if (tried.deferral) recorded.accepted = tried.deferral->deferral.accepted;
  if (tried.assessment && tried.assessment->outcome == ledger::Outcome::given_up)
    recorded.given_up = tried.assessment->forecast.gives_up;
  TRY_VOID(take_attempts(tried, profile, recorded.told));
  return recorded;
}

}  // namespace postern::app
