#include "app/replay_lookups.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "app/configured_resolver.h"
#include "app/options.h"
#include "app/replay_journal.h"

namespace postern::app {
namespace {

constexpr Duration run_time_max = std::chrono::hours(24 * 30);
constexpr std::size_t under_way_max = 2'000;

std::string cause_of(const policy::UnknownIpVerdict& verdict) {
  using policy::UnknownIpState;
  switch (verdict.state) {
    case UnknownIpState::pass:
      return verdict.iprev->confirmed_name;
    case UnknownIpState::skipped:
      return verdict.skipped_because;
    case UnknownIpState::temp_error:
      return "a lookup got no answer";
    default:
      return policy::cause_text(verdict.state, *verdict.iprev);
  }
}

/// `rule`: the override for this client, if there is one that needs to know nothing of its mail.
ledger::Finding finding_of(const policy::UnknownIpVerdict& verdict,
                           const std::optional<policy::OverrideDecision>& rule) {
  ledger::Finding finding;
  finding.state = policy::state_name(verdict.state);
  finding.cause = cause_of(verdict);
  // Our own resolver's silence says nothing about the client.
  const std::string& reply = rule ? rule->reply : verdict.reply;
  finding.refused = !reply.empty() && verdict.state != policy::UnknownIpState::temp_error;
  if (rule && finding.refused) {
    finding.override_name = rule->name;
    finding.cause += fmt::format(" (refused by the override {})", rule->name);
  }
  return finding;
}

/// Looks up some clients, one after another, while the lookups of those before are under way.
class Round {
 public:
  Round(const io::World& world, policy::UnknownIpCheck& check, ReplayJournal* journal,
        const std::function<void(std::size_t)>& progress)
      : world_(world), check_(check), journal_(journal), progress_(progress) {}

  io::Task<> run(const std::vector<IpAddress>& clients, Duration pause) {
    SteadyTime next = world_.clock.now();
    for (const IpAddress& client : clients) {
      waiting_.emplace_back(client, check_.start(client));
      const bool asks = waiting_.back().second->ready() == nullptr && !is_known(client);
      while (!waiting_.empty() &&
             (waiting_.front().second->ready() != nullptr || waiting_.size() >= under_way_max))
        co_await take_first();
      if (!asks) continue;
      next = std::max(next, world_.clock.now()) + pause;
      co_await world_.clock.sleep_until(next);
    }
    while (!waiting_.empty()) co_await take_first();
  }

  Findings take_findings() { return std::move(findings_); }

 private:
  [[nodiscard]] bool is_known(const IpAddress& client) const {
    return journal_ != nullptr && journal_->known().contains(client);
  }

  io::Task<> take_first() {
    const auto [client, pending] = std::move(waiting_.front());
    waiting_.pop_front();
    const policy::UnknownIpVerdict& verdict = *co_await pending->verdict();
    findings_[client] = finding_of(verdict, pending->override_for(policy::AnswerAt::rcpt, {}, {}));
    const bool looked_up = verdict.state != policy::UnknownIpState::skipped &&
                           verdict.state != policy::UnknownIpState::temp_error;
    if (journal_ != nullptr && looked_up && !is_known(client))
      journal_->write(*verdict.iprev, world_.clock.wall_now());
    progress_(findings_.size());
  }

  io::World world_;
  policy::UnknownIpCheck& check_;
  ReplayJournal* journal_;
  const std::function<void(std::size_t)>& progress_;
  Findings findings_;
  std::deque<std::pair<IpAddress, std::shared_ptr<policy::PendingCheck>>> waiting_;
};

io::Task<> look_up_and_stop(Round& round, const std::vector<IpAddress>& clients, Duration pause,
                            dns::Resolver& resolver, policy::UnknownIpCheck& check) {
  co_await round.run(clients, pause);
  resolver.stop();
  co_await check.stop();
}

}  // namespace

Result<Findings> ReplayLookups::look_up(io::RealShard& shard, const std::vector<IpAddress>& clients,
                                        const std::function<void(std::size_t)>& progress) {
  const io::World world = shard.world();
  std::optional<ReplayJournal> journal;
  if (!options_.journal.empty()) {
    TRY(journal, ReplayJournal::open(options_.journal, world.clock.wall_now()));
  }
  TRY(const auto resolver, ConfiguredResolver::create(world, options_.dns));
  KnownAnswers answers(resolver->resolver());
  if (journal)
    for (const auto& [client, lookups] : journal->known()) answers.add(lookups);
  policy::UnknownIpOptions options = unknown_ip_options(options_.unknown_ip);
  options.mode = policy::UnknownIpMode::enforce;
  policy::UnknownIpCheck check(world, answers, options);
  Round round(world, check, journal ? &*journal : nullptr, progress);
  const Duration pause = std::chrono::duration_cast<Duration>(seconds(1)) /
                         static_cast<std::int64_t>(options_.lookups_per_second);
  if (!shard.run_task(look_up_and_stop(round, clients, pause, answers, check), run_time_max))
    return our_failure(Cause::timed_out, "the lookups did not end");
  if (journal) TRY_VOID(journal->end());
  return round.take_findings();
}

}  // namespace postern::app
