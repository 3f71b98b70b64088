#include "app/replay_lookups.h"

#include <deque>
#include <fmt/format.h>
#include <fstream>
#include <memory>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "app/configured_resolver.h"
#include "app/options.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::object;

constexpr Duration journal_age_max = std::chrono::hours(24);
constexpr Duration run_time_max = std::chrono::hours(24 * 30);
constexpr std::size_t under_way_max = 2'000;

ledger::Finding finding_of(const policy::UnknownIpVerdict& verdict) {
  using policy::UnknownIpState;
  ledger::Finding finding;
  finding.state = policy::state_name(verdict.state);
  // Our own resolver's silence says nothing about the client.
  finding.refused = !verdict.reply.empty() && verdict.state != UnknownIpState::temp_error;
  if (verdict.state == UnknownIpState::pass)
    finding.cause = verdict.iprev->confirmed_name;
  else if (verdict.state == UnknownIpState::skipped)
    finding.cause = verdict.skipped_because;
  else if (verdict.state == UnknownIpState::temp_error)
    finding.cause = "a lookup got no answer";
  else
    finding.cause = policy::cause_text(verdict.state, *verdict.iprev);
  return finding;
}

std::string text_of(const object& line, std::string_view key) {
  const auto* value = line.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// One line of the journal; a line that does not read is as if it were not there.
void take_line(const std::string& line, WallTime now, Findings& findings) {
  boost::system::error_code bad;
  const boost::json::value value = boost::json::parse(line, bad);
  if (bad || !value.is_object()) return;
  const object& entry = value.get_object();
  const auto address = IpAddress::parse(text_of(entry, "client"));
  const auto* at = entry.if_contains("at");
  const auto* refused = entry.if_contains("refused");
  if (!address || at == nullptr || !at->is_int64() || refused == nullptr || !refused->is_bool())
    return;
  if (now - WallTime(seconds(at->get_int64())) > journal_age_max) return;
  findings[*address] = {.state = text_of(entry, "state"),
                        .cause = text_of(entry, "cause"),
                        .refused = refused->get_bool()};
}

class Round {
 public:
  Round(const io::World& world, policy::UnknownIpCheck& check, std::ofstream& journal,
        Findings& findings, const std::function<void(std::size_t)>& progress)
      : world_(world), check_(check), journal_(journal), findings_(findings), progress_(progress) {}

  io::Task<> run(const std::vector<IpAddress>& clients, Duration pause) {
    SteadyTime next = world_.clock.now();
    for (const IpAddress& client : clients) {
      if (findings_.contains(client)) continue;
      waiting_.emplace_back(client, check_.start(client));
      while (!waiting_.empty() &&
             (waiting_.front().second->ready() != nullptr || waiting_.size() >= under_way_max))
        co_await take_first();
      next += pause;
      co_await world_.clock.sleep_until(next);
    }
    while (!waiting_.empty()) co_await take_first();
  }

 private:
  io::Task<> take_first() {
    const auto [client, pending] = std::move(waiting_.front());
    waiting_.pop_front();
    const ledger::Finding finding = finding_of(*co_await pending->verdict());
    findings_[client] = finding;
    if (journal_.is_open() &&
        finding.state != policy::state_name(policy::UnknownIpState::temp_error))
      write_down(client, finding);
    progress_(findings_.size());
  }

  void write_down(const IpAddress& client, const ledger::Finding& finding) {
    const auto at = std::chrono::floor<seconds>(world_.clock.wall_now().time_since_epoch()).count();
    journal_ << boost::json::serialize(object{{"client", client.text()},
                                              {"at", at},
                                              {"state", finding.state},
                                              {"cause", finding.cause},
                                              {"refused", finding.refused}})
             << std::endl;
  }

  io::World world_;
  policy::UnknownIpCheck& check_;
  std::ofstream& journal_;
  Findings& findings_;
  const std::function<void(std::size_t)>& progress_;
  std::deque<std::pair<IpAddress, std::shared_ptr<policy::PendingCheck>>> waiting_;
};

io::Task<> look_up_and_stop(Round& round, const std::vector<IpAddress>& clients, Duration pause,
                            dns::Resolver& resolver, policy::UnknownIpCheck& check) {
  co_await round.run(clients, pause);
  resolver.stop();
  co_await check.stop();
}

}  // namespace

Findings ReplayLookups::read_journal(WallTime now) const {
  Findings findings;
  std::ifstream file(options_.journal);
  std::string line;
  while (std::getline(file, line)) take_line(line, now, findings);
  return findings;
}

Result<Findings> ReplayLookups::look_up(io::RealShard& shard, const std::vector<IpAddress>& clients,
                                        const std::function<void(std::size_t)>& progress) {
  const io::World world = shard.world();
  Findings findings;
  std::ofstream journal;
  if (!options_.journal.empty()) {
    findings = read_journal(world.clock.wall_now());
    journal.open(options_.journal, std::ios::app);
    if (!journal)
      return operator_failure(
          Cause::no_permission,
          fmt::format("cannot write the journal {}; name another file by --journal",
                      printable(options_.journal)));
  }
  TRY(const auto resolver, ConfiguredResolver::create(world, options_.dns));
  policy::UnknownIpOptions options = unknown_ip_options(options_.unknown_ip);
  options.mode = policy::UnknownIpMode::enforce;
  policy::UnknownIpCheck check(world, resolver->resolver(), options);
  Round round(world, check, journal, findings, progress);
  const Duration pause = std::chrono::duration_cast<Duration>(seconds(1)) /
                         static_cast<std::int64_t>(options_.lookups_per_second);
  if (!shard.run_task(look_up_and_stop(round, clients, pause, resolver->resolver(), check),
                      run_time_max))
    return our_failure(Cause::timed_out, "the lookups did not end");
  if (journal.is_open() && !journal)
    return operator_failure(Cause::no_space, fmt::format("cannot write the journal {}: disk full?",
                                                         printable(options_.journal)));
  return findings;
}

}  // namespace postern::app
