#include "lab/ledger_account.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/text.h"

namespace postern::lab {
namespace {

using namespace std::chrono_literals;
using ledger::Outcome;

/// Nobody waits longer between two attempts: by then a ledger must know that it has ended.
constexpr Duration known_after_max = 30 * 24h;
/// How often a ledger is asked between two attempts.
constexpr int asked_between = 8;
/// What a dialogue takes.
constexpr Duration tolerance = 5s;

/// A recipient of a transaction on the wire, and whether it is the one of interest.
bool is_about(const Attempt& attempt, const AttemptRecipient& one, const LedgerAccount& account) {
  return attempt.has_sender && equal_ignoring_case(attempt.sender, account.sender) &&
         equal_ignoring_case(one.address, account.recipient);
}

void read_wire(const Flow& flow, LedgerAccount& account) {
  LedgerTruth& truth = account.truth;
  for (const Attempt& attempt : flow.history().attempts) {
    if (attempt.to_host != account.postern) continue;
    for (const AttemptRecipient& one : attempt.recipients) {
      if (!is_about(attempt, one, account)) continue;
      if (is_refused_client(one.reply)) {
        truth.upstream = attempt.from_host;
        if (truth.attempts.empty() || attempt.decided > truth.attempts.back() + 30s)
          truth.attempts.push_back(attempt.decided);
      } else if (one.accepted && !truth.ended && !truth.attempts.empty()) {
        truth.ended = attempt.decided;
        truth.outcome = Outcome::recovered;
        truth.accepted_from = attempt.from_address;
      } else if (is_refused_for_good(one.reply) && !truth.ended && !truth.attempts.empty()) {
        truth.ended = attempt.decided;
        truth.outcome = Outcome::given_up;
        truth.refused_for_good = true;
      }
    }
  }
}

void read_truth(const Flow& flow, const Account& told, LedgerAccount& account) {
  LedgerTruth& truth = account.truth;
  read_wire(flow, account);
  if (const ScenarioServer* server = flow.scenario().server(truth.upstream); server != nullptr)
    truth.profile = server->profile;
  for (const Happening& one : flow.history().happenings) {
    const bool gave_up = one.kind == Happening::Kind::gave_up ||
                         one.kind == Happening::Kind::dropped || one.kind == Happening::Kind::kept;
    if (truth.ended || !gave_up || one.host != truth.upstream ||
        !equal_ignoring_case(one.sender, account.sender) ||
        !equal_ignoring_case(one.recipient, account.recipient))
      continue;
    truth.ended = one.at;
    truth.outcome = truth.attempts.size() == 1 ? Outcome::never_retried : Outcome::given_up;
  }
  for (const ReportAccount& report : told.reports)
    if (!truth.first_sign && report.by == truth.upstream &&
        equal_ignoring_case(report.to, account.sender) &&
        equal_ignoring_case(report.about, account.recipient))
      truth.first_sign = report.at;
}

/// Asks a ledger about one delivery, moment by moment.
class Questioner {
 public:
  Questioner(const Flow& flow, const upstream::Profiles& profiles, LedgerAccount& account)
      : flow_(flow), profiles_(profiles), account_(account) {}

  void question() {
    for (const LedgerState& state : flow_.history().ledgers) {
      if (state.host != account_.postern) continue;
      ask_until(state.at);
      look_at(state);
      if (!kept_) continue;
      const std::uint32_t attempts = kept_->attempts_count;
      if ((attempts == 1 || attempts == LedgerAccount::judged_after) &&
          account_.view_after(attempts) == nullptr)
        account_.views.push_back(view(state.at));
    }
    check_kept();
    if (!kept_) return;
    ask_until(account_.truth.ended.value_or(flow_.history().now));
    account_.deferral = *kept_;
    see_end();
  }

 private:
  LedgerView view(Duration at) const {
    const ledger::Assessment said = ledger::assess(*kept_, flow_.wall_time(at), profiles_);
    LedgerView view;
    view.at = at;
    view.attempts = kept_->attempts_count;
    view.outcome = said.outcome;
    view.profile = said.upstream.profile->name;
    view.probability = said.upstream.probability;
    view.next_attempt = flow_.since_beginning(said.forecast.next_attempt);
    view.gives_up = flow_.since_beginning(said.forecast.gives_up);
    if (said.forecast.first_sign)
      view.first_sign = flow_.since_beginning(*said.forecast.first_sign);
    return view;
  }

  void look_at(const LedgerState& state) {
    for (const ledger::Deferral& deferral : state.deferrals) {
      if (!equal_ignoring_case(deferral.sender, account_.sender) ||
          !equal_ignoring_case(deferral.recipient, account_.recipient))
        continue;
      if (begun_.insert(deferral.attempts.front()).second && kept_) continue;
      if (!kept_ || kept_->attempts.front() == deferral.attempts.front()) kept_ = deferral;
    }
  }

  // While the upstream server keeps the message, a ledger that has ended the delivery is wrong.
  void ask_until(Duration until) {
    const Duration begin = asked_;
    asked_ = std::max(asked_, until);
    if (!kept_) return;
    const Duration end = std::min(until, account_.truth.ended.value_or(until)) - 1ms;
    for (int i = 1; i <= asked_between && end > begin; ++i) {
      const LedgerView said = view(begin + (end - begin) * i / asked_between);
      if (said.outcome == Outcome::retrying) continue;
      fault(fmt::format("says {} at {}, but it is not over before {}",
                        ledger::outcome_name(said.outcome), format_since(said.at),
                        format_since(until)));
      return;
    }
  }

  void check_kept() {
    const std::size_t attempts = kept_ ? kept_->attempts_count : 0;
    if (begun_.size() != 1) fault(fmt::format("takes one mail for {}", begun_.size()));
    if (begun_.size() == 1 && attempts != account_.truth.attempts.size())
      fault(fmt::format("has seen {} attempts, there were {}", attempts,
                        account_.truth.attempts.size()));
  }

  // When it is over, and a ledger has had time to see that; else now.
  void see_end() {
    const LedgerTruth& truth = account_.truth;
    if (!truth.ended) {
      account_.views.push_back(view(flow_.history().now));
      return;
    }
    Duration before = *truth.ended - 1ms;
    Duration known = before + known_after_max;
    const LedgerView last = view(known);
    if (last.outcome != truth.outcome)
      fault(fmt::format("says {}, but it is {}", ledger::outcome_name(last.outcome),
                        ledger::outcome_name(truth.outcome)));
    // The first moment at which it says so.
    while (known - before > 1s) {
      const Duration middle = before + (known - before) / 2;
      (view(middle).outcome == last.outcome ? known : before) = middle;
    }
    account_.views.push_back(view(known));
    if (truth.outcome == Outcome::recovered) check_recovery();
    if (truth.refused_for_good && !account_.deferral.refused_for_good)
      fault("does not know that it was refused for good");
  }

  void check_recovery() {
    const ledger::Deferral& deferral = account_.deferral;
    if (!deferral.accepted) return;  // told already
    const Duration at = flow_.since_beginning(*deferral.accepted);
    if (std::chrono::abs(at - *account_.truth.ended) > tolerance)
      fault(fmt::format("says that it was accepted at {}", format_since(at)));
    if (deferral.accepted_from != account_.truth.accepted_from)
      fault(fmt::format("says that it was accepted from {}", deferral.accepted_from.text()));
  }

  void fault(std::string text) { account_.faults.push_back(std::move(text)); }

  const Flow& flow_;
  const upstream::Profiles& profiles_;
  LedgerAccount& account_;
  std::set<WallTime> begun_;              // deferrals, of which there should be one
  std::optional<ledger::Deferral> kept_;  // the first, as it was at `asked_`
  Duration asked_{};                      // until when
};

void add_refused(const Flow& flow, const std::string& postern,
                 std::vector<LedgerAccount>& accounts) {
  for (const Attempt& attempt : flow.history().attempts)
    for (const AttemptRecipient& one : attempt.recipients) {
      if (attempt.to_host != postern || !is_refused_client(one.reply)) continue;
      const bool known = std::ranges::any_of(accounts, [&](const LedgerAccount& account) {
        return account.postern == postern && is_about(attempt, one, account);
      });
      if (known) continue;
      LedgerAccount& account = accounts.emplace_back();
      account.postern = postern;
      account.sender = attempt.sender;
      account.recipient = one.address;
    }
}

}  // namespace

bool is_refused_client(std::string_view reply) {
  return reply.starts_with('4') && reply.contains(" 4.7.25 ");
}

bool is_refused_for_good(std::string_view reply) {
  return reply.starts_with('5') && reply.contains(" 5.7.25 ");
}

const LedgerView* LedgerAccount::view_after(std::uint32_t attempts) const {
  const auto found = std::ranges::find(views, attempts, &LedgerView::attempts);
  return found == views.end() ? nullptr : &*found;
}

bool LedgerAccount::is_judged() const {
  return truth.outcome == Outcome::given_up && !truth.refused_for_good &&
         truth.attempts.size() >= judged_after;
}

std::optional<ForecastError> LedgerAccount::error() const {
  const LedgerView* view = view_after(judged_after);
  if (view == nullptr || !is_judged()) return std::nullopt;
  ForecastError error;
  error.gives_up = view->gives_up - *truth.ended;
  const Duration next =
      truth.attempts.size() > judged_after ? truth.attempts[judged_after] : *truth.ended;
  error.interval = next - truth.attempts.at(judged_after - 1);
  error.intervals = std::chrono::duration<double>(error.gives_up) /
                    std::chrono::duration<double>(std::max<Duration>(error.interval, 1s));
  error.within_one = std::chrono::abs(error.gives_up) <= error.interval;
  if (view->first_sign && truth.first_sign)
    error.first_sign = *view->first_sign - *truth.first_sign;
  error.first_sign_within_one = error.first_sign
                                    ? std::chrono::abs(*error.first_sign) <= error.interval
                                    : !view->first_sign && !truth.first_sign;
  return error;
}

std::vector<LedgerAccount> ledger_accounts(const Flow& flow, const Account& account,
                                           const upstream::Profiles& profiles) {
  std::vector<LedgerAccount> accounts;
  for (const ScenarioServer& server : flow.scenario().servers)
    if (server.engine == Engine::postern) add_refused(flow, server.id, accounts);
  for (LedgerAccount& one : accounts) {
    read_truth(flow, account, one);
    Questioner(flow, profiles, one).question();
  }
  return accounts;
}

std::vector<Verdict> judge_ledgers(const Flow& flow, const std::vector<LedgerAccount>& accounts) {
  std::vector<Verdict> verdicts;
  verdicts.reserve(accounts.size());
  for (const LedgerAccount& account : accounts) {
    verdicts.push_back(
        {account.faults.empty(),
         fmt::format("the ledger of {} says that the mail from <{}> to <{}> is {}, and nothing "
                     "else before",
                     name_of_host(flow.scenario(), account.postern), account.sender,
                     account.recipient, ledger::outcome_name(account.truth.outcome)),
         account.faults.empty()
             ? fmt::format("{}, from {} on", ledger::outcome_name(account.views.back().outcome),
                           format_since(account.views.back().at))
             : fmt::format("it {}", fmt::join(account.faults, "; it "))});
  }
  return verdicts;
}

}  // namespace postern::lab
