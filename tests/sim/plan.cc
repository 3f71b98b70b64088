#include "plan.h"

#include <fmt/format.h>
#include <utility>

#include "dice.h"

namespace postern::sim {
namespace {

constexpr std::uint64_t calm_every = 10;
constexpr std::size_t mails_min = 12;
constexpr std::uint64_t mails_spread = 24;

}  // namespace

bool Plan::faults() const {
  return crashes || store_failures || disk_full || resets || one_byte_reads || lost_last_bytes ||
         partitions || dns_failures || flaky_next_hops;
}

std::string Plan::text() const {
  std::string out =
      fmt::format("mails={} sessions={} inline={} connections={}", mails, sessions_per_client,
                  inline_bytes_max, connections_per_destination_max);
  for (const auto& [on, name] :
       {std::pair{crashes, "crashes"}, std::pair{power_failures, "power"},
        std::pair{store_failures, "store"}, std::pair{disk_full, "full"},
        std::pair{resets, "resets"}, std::pair{one_byte_reads, "one-byte"},
        std::pair{lost_last_bytes, "last-bytes"}, std::pair{partitions, "partitions"},
        std::pair{dns_failures, "dns"}, std::pair{flaky_next_hops, "next-hops"},
        std::pair{greylisting, "greylisting"}, std::pair{pipelining, "pipelining"}})
    if (on) out += fmt::format(" {}", name);
  return out;
}

Plan plan_of(std::uint64_t seed) {
  Dice dice(seed * 2 + 1);
  Plan plan;
  plan.seed = seed;
  plan.mails = mails_min + dice.below(mails_spread);
  plan.sessions_per_client = 1 + dice.below(4);
  plan.pipelining = !dice.one_in(4);
  plan.large_contents = dice.one_in(3);
  plan.inline_bytes_max = dice.one_in(2) ? 600 : 16 * 1024;
  plan.connections_per_destination_max = 1 + dice.below(4);
  plan.refuse_with = dice.one_in(3) ? policy::Action::reply_550 : policy::Action::reply_450;
  plan.fault_time = dice.between(std::chrono::minutes(3), std::chrono::minutes(20));
  plan.greylisting = dice.one_in(4);
  if (seed % calm_every == 0) return plan;
  plan.crashes = !dice.one_in(3);
  plan.power_failures = plan.crashes && !dice.one_in(3);
  plan.store_failures = dice.one_in(3);
  plan.disk_full = dice.one_in(4);
  plan.resets = dice.one_in(3);
  plan.one_byte_reads = dice.one_in(6);
  plan.lost_last_bytes = dice.one_in(4);
  plan.partitions = dice.one_in(3);
  plan.dns_failures = dice.one_in(3);
  plan.flaky_next_hops = dice.one_in(2);
  return plan;
}

}  // namespace postern::sim
