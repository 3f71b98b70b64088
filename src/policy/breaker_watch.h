#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "auth/iprev.h"
#include "base/ip.h"
#include "io/clock.h"
#include "policy/breaker.h"

namespace postern::policy {

/// A breaker on a clock: the check tells it facts, it moves on by itself as time passes, and tells
/// each change to who asked. On one shard; may outlive the check, but not the clock.
class BreakerWatch {
 public:
  BreakerWatch(io::Clock& clock, const BreakerOptions& options);
  ~BreakerWatch();
  BreakerWatch(const BreakerWatch&) = delete;
  BreakerWatch& operator=(const BreakerWatch&) = delete;

  void set_options(const BreakerOptions& options);
  /// Called inside the calls below and from timers; must not call this object, but for status().
  void on_change(std::function<void(const BreakerChange&)> listener);

  /// As Breaker::transaction; `own` is the address of ours that the client connected to.
  void transaction(const IpAddress& client, const IpAddress& own);
  /// As Breaker::lookup.
  void lookup(const auth::Iprev& iprev);

  /// Whether the check only observes.
  [[nodiscard]] bool open() const { return breaker_.state() != BreakerState::closed; }
  [[nodiscard]] BreakerStatus status() const { return breaker_.status(clock_.now()); }

 private:
  void tell(const std::optional<BreakerChange>& change);

  io::Clock& clock_;
  Breaker breaker_;
  std::function<void(const BreakerChange&)> listener_;
  io::Clock::TimerId timer_ = 0;
};

}  // namespace postern::policy
