// Seeds in a row, in one process. './dev sim' builds this optimised, spreads a range over several
// of them, and shows one seed in full.
//
//   postern_sim FROM COUNT          a line "ran SEED" after each; "failed SEED", findings and
//                                   "end" for each that fails; sums as "sum NAME NUMBER" at the end
//   postern_sim --show SEED         its plan, the gateway's log, the findings
//   postern_sim --trace SEED        the same with every event
//
// Exit code 1: something failed.
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>

#include "checkers.h"
#include "run.h"

namespace postern::sim {
namespace {

/// Each seed of so many runs twice: the same seed, the same trace.
constexpr std::uint64_t twice_every = 50;

void print_findings(const Findings& findings) {
  for (const std::string& finding : findings) fmt::print("  {}\n", finding);
}

Findings check_seed(std::uint64_t seed, std::map<std::string, std::uint64_t>& sums) {
  const History history = run(plan_of(seed));
  Findings findings = everything_wrong_with(history);
  if (seed % twice_every == 0 && run(plan_of(seed)).trace_hash != history.trace_hash)
    findings.emplace_back("another trace when it ran again");
  for (const auto& [name, number] : sums_of(history)) sums[name] += number;
  return findings;
}

int run_range(std::uint64_t from, std::uint64_t count) {
  int failed = 0;
  std::map<std::string, std::uint64_t> sums;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    const Findings findings = check_seed(seed, sums);
    if (!findings.empty()) {
      ++failed;
      fmt::print("failed {}\n  plan: {}\n", seed, plan_of(seed).text());
      print_findings(findings);
      fmt::print("end\n");
    }
    fmt::print("ran {}\n", seed);
    std::fflush(stdout);
  }
  for (const auto& [name, number] : sums) fmt::print("sum {} {}\n", name, number);
  return failed == 0 ? 0 : 1;
}

int show(std::uint64_t seed, Shown shown) {
  const Plan plan = plan_of(seed);
  fmt::print("seed {}: {}\n", seed, plan.text());
  const History history = run(plan, {.make_store = nullptr, .shown = shown});
  const Findings findings = everything_wrong_with(history);
  for (const auto& [name, number] : sums_of(history)) fmt::print("{}: {}\n", name, number);
  fmt::print("trace {:016x}\n{}\n", history.trace_hash,
             findings.empty() ? "nothing is wrong" : "findings:");
  print_findings(findings);
  return findings.empty() ? 0 : 1;
}

}  // namespace
}  // namespace postern::sim

int main(int argc, char** argv) {
  using postern::sim::Shown;
  if (argc != 3) {
    fmt::print(stderr, "usage: postern_sim FROM COUNT | --show SEED | --trace SEED\n");
    return 2;
  }
  const std::string_view first = argv[1];
  const std::uint64_t second = std::strtoull(argv[2], nullptr, 10);
  if (first == "--show") return postern::sim::show(second, Shown::log);
  if (first == "--trace") return postern::sim::show(second, Shown::trace);
  return postern::sim::run_range(std::strtoull(argv[1], nullptr, 10), second);
}
