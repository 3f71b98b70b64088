#pragma once

#include "io/notify.h"
#include "io/sim/sim_core.h"
#include "io/worker.h"

namespace postern::io {

/// Runs work as an event a little later, in the order given.
class SimWorker final : public Worker {
 public:
  SimWorker(SimCore& core, Clock& clock) : core_(core), clock_(clock), released_(clock) {}

  Duration latency_min = std::chrono::microseconds(50);
  Duration latency_max = std::chrono::milliseconds(5);

  Task<> run(std::move_only_function<void()> work) override;

  /// A stalled disk or library: nothing runs until release().
  void hold() { held_ = true; }
  void release();

 private:
  SimCore& core_;
  Clock& clock_;
  Notify released_;
  SteadyTime last_;
  bool held_ = false;
};

}  // namespace postern::io
