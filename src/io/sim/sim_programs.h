#pragma once

#include <algorithm>
#include <vector>

#include "io/clock.h"
#include "io/notify.h"
#include "io/programs.h"

namespace postern::io {

/// Runs nothing: keeps what was asked for. Each call takes `takes` of virtual time and ends with
/// `outcome`.
class SimPrograms final : public Programs {
 public:
  explicit SimPrograms(Clock& clock) : clock_(clock), stop_requested_(clock) {}

  Duration takes = std::chrono::milliseconds(20);
  Result<int> outcome = 0;
  std::vector<Call> calls;

  Task<Result<int>> run(Call call, Deadline deadline) override {
    calls.push_back(std::move(call));
    const SteadyTime end = clock_.now() + takes;
    const Deadline until = deadline.sooner(Deadline::at(end));
    while (!stopped_ && co_await stop_requested_.wait(until)) {
    }
    if (stopped_) co_return operator_failure(Cause::other, "was ended by signal 9");
    if (deadline.time() < end)
      co_return operator_failure(Cause::timed_out, "did not end in time and was killed");
    co_return outcome;
  }
  void stop() override {
    stopped_ = true;
    stop_requested_.wake_all();
  }

 private:
  Clock& clock_;
  Notify stop_requested_;
  bool stopped_ = false;
};

}  // namespace postern::io
