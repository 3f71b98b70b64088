#pragma once

#include <algorithm>
#include <vector>

#include "io/clock.h"
#include "io/programs.h"

namespace postern::io {

/// Runs nothing: keeps what was asked for. Each call takes `takes` of virtual time and ends with
/// `outcome`.
class SimPrograms final : public Programs {
 public:
  explicit SimPrograms(Clock& clock) : clock_(clock) {}

  Duration takes = std::chrono::milliseconds(20);
  Result<int> outcome = 0;
  std::vector<Call> calls;

  Task<Result<int>> run(Call call, Deadline deadline) override {
    calls.push_back(std::move(call));
    const SteadyTime end = clock_.now() + takes;
    co_await clock_.sleep_until(std::min(end, deadline.time()));
    if (deadline.time() < end)
      co_return operator_failure(Cause::timed_out, "did not end in time and was killed");
    co_return outcome;
  }

 private:
  Clock& clock_;
};

}  // namespace postern::io
