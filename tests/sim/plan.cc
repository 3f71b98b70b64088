#include "plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "delivery/options.h"
#include "dice.h"

namespace postern::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr std::uint64_t calm_every = 10;
constexpr std::uint64_t refusing_only = 5;  // the remainder of those seeds
constexpr std::size_t mails_min = 8;
constexpr std::uint64_t mails_spread = 20;
constexpr std::uint64_t burst_min = 20;
constexpr std::uint64_t burst_spread = 60;
constexpr std::uint64_t kill_events_min = 200;
constexpr std::uint64_t kill_events_spread = 6'000;
constexpr Duration pace_one = minutes(20);

void plan_time(Plan& plan, Dice& dice) {
  const delivery::DeliveryOptions defaults;
  plan.retry = {seconds(20), seconds(60), minutes(3)};
  plan.lifetime = defaults.lifetime;
  plan.report_lifetime = defaults.report_lifetime;
  plan.fault_time = dice.between(minutes(3), minutes(20));
  if (!dice.one_in(4)) return;
  plan.fault_time = dice.between(hours(5), hours(60));
  if (!dice.one_in(3)) plan.retry = defaults.retry;
  if (dice.one_in(4)) return;
  plan.lifetime = dice.between(hours(2), hours(12));
  plan.report_lifetime = dice.between(hours(1), hours(6));
}

void plan_mail(Plan& plan, Dice& dice) {
  plan.mails = mails_min + dice.below(mails_spread);
  if (dice.one_in(12)) plan.burst = burst_min + dice.below(burst_spread);
  plan.mails += plan.burst;
  plan.sessions_per_client = 1 + dice.below(4);
  plan.silent_clients = dice.one_in(4) ? 1 + dice.below(3) : 0;
  plan.pipelining = !dice.one_in(4);
  plan.large_contents = dice.one_in(3);
  plan.dsn_asked = !dice.one_in(3);
  plan.inline_bytes_max = dice.one_in(2) ? 600 : 16 * 1024;
  plan.connections_per_destination_max = 1 + dice.below(4);
  plan.refuse_with = dice.one_in(3) ? policy::Action::reply_550 : policy::Action::reply_450;
  plan.greylisting = dice.one_in(4);
  plan.dsn_offered = dice.one_in(2);
  plan.recipients_max = dice.one_in(4) ? 1 + dice.below(3) : 0;
}

void plan_faults(Plan& plan, Dice& dice) {
  plan.crashes = dice.one_in(2);
  plan.kill_events = dice.one_in(3) ? kill_events_min + dice.below(kill_events_spread) : 0;
  plan.power_failures = !dice.one_in(3);
  plan.store_failures = dice.one_in(3);
  plan.file_failures = dice.one_in(5);
  plan.disk_full = dice.one_in(4);
  plan.resets = dice.one_in(3);
  plan.one_byte_reads = dice.one_in(6);
  plan.lost_last_bytes = dice.one_in(4);
  plan.partitions = dice.one_in(3);
  plan.dns_failures = dice.one_in(3);
  plan.clock_jumps = dice.one_in(5);
  plan.flaky_next_hops = dice.one_in(2);
  plan.outages = dice.one_in(3);
  plan.administration = dice.one_in(4);
}

// With dice of its own, so that all else of a seed stays what it was.
void plan_delay_notice(Plan& plan) {
  Dice dice(plan.seed * 64 + 5);
  if (dice.one_in(4)) return;
  plan.delay_notice = dice.one_in(3) ? delivery::DeliveryOptions().delay_notice
                                     : dice.between(minutes(1), plan.fault_time / 2);
}

}  // namespace

double Plan::pace() const {
  return std::max(
      1.0, std::chrono::duration<double>(fault_time) / std::chrono::duration<double>(pace_one));
}

bool Plan::faults() const {
  return crashes || kill_events != 0 || store_failures || file_failures || disk_full || resets ||
         one_byte_reads || lost_last_bytes || partitions || dns_failures || clock_jumps ||
         flaky_next_hops || busy_next_hops || outages || administration;
}

bool Plan::exact_retries() const {
  return !(crashes || kill_events != 0 || store_failures || file_failures || disk_full || resets ||
           lost_last_bytes || partitions || dns_failures || clock_jumps || flaky_next_hops ||
           administration);
}

Duration Plan::retry_max() const {
  return *std::ranges::max_element(retry);
}

std::string Plan::text() const {
  std::string out = fmt::format(
      "mails={} burst={} sessions={} silent={} inline={} connections={} recipients={} time={} "
      "lifetime={} delay-notice={}",
      mails, burst, sessions_per_client, silent_clients, inline_bytes_max,
      connections_per_destination_max, recipients_max, format_duration(fault_time),
      format_duration(lifetime), format_duration(delay_notice));
  if (kill_events != 0) out += fmt::format(" kill-events={}", kill_events);
  for (const auto& [on, name] :
       {std::pair{crashes, "crashes"},
        std::pair{power_failures && (crashes || kill_events != 0), "power"},
        std::pair{store_failures, "store"},
        std::pair{file_failures, "files"},
        std::pair{disk_full, "full"},
        std::pair{resets, "resets"},
        std::pair{one_byte_reads, "one-byte"},
        std::pair{lost_last_bytes, "last-bytes"},
        std::pair{partitions, "partitions"},
        std::pair{dns_failures, "dns"},
        std::pair{clock_jumps, "clock"},
        std::pair{flaky_next_hops, "next-hops"},
        std::pair{busy_next_hops, "busy"},
        std::pair{outages, "outages"},
        std::pair{administration, "administration"},
        std::pair{greylisting, "greylisting"},
        std::pair{dsn_offered, "dsn-offered"},
        std::pair{dsn_asked, "dsn-asked"},
        std::pair{large_contents, "large"},
        std::pair{pipelining, "pipelining"}})
    if (on) out += fmt::format(" {}", name);
  return out;
}

Plan plan_of(std::uint64_t seed) {
  Dice dice(seed * 2 + 1);
  Plan plan;
  plan.seed = seed;
  plan_time(plan, dice);
  plan_mail(plan, dice);
  plan_delay_notice(plan);
  if (seed % calm_every == 0) return plan;
  if (seed % calm_every == refusing_only) {
    plan.busy_next_hops = dice.one_in(2);
    plan.outages = !plan.busy_next_hops || dice.one_in(2);
  } else {
    plan_faults(plan, dice);
  }
  return plan;
}

}  // namespace postern::sim
