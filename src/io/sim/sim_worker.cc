#include "io/sim/sim_worker.h"

#include <algorithm>

namespace postern::io {

Task<> SimWorker::run(std::move_only_function<void()> work) {
  last_ = std::max(last_, core_.now() + core_.between(latency_min, latency_max));
  co_await clock_.sleep_until(last_);
  // Who comes while others were held waits behind them.
  while (held_ || released_.has_waiters()) {
    co_await released_.wait(Deadline::never());
    if (!held_) break;
  }
  core_.record("work", {});
  work();
}

void SimWorker::release() {
  held_ = false;
  released_.wake_all();
}

}  // namespace postern::io
