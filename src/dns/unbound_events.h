#pragma once

#include "io/clock.h"
#include "io/descriptors.h"

extern "C" {
struct ub_event_base;
}

namespace postern::dns {

/// libunbound's pluggable event base over the seam's clock and descriptors, so that its sockets and
/// timers run on the shard. Must outlive the ub_ctx made with it.
class UnboundEvents {
 public:
  UnboundEvents(io::Clock& clock, io::Descriptors& descriptors);
  ~UnboundEvents();
  UnboundEvents(const UnboundEvents&) = delete;
  UnboundEvents& operator=(const UnboundEvents&) = delete;

  [[nodiscard]] ub_event_base* base();

 private:
  struct Base;
  Base* base_;
};

}  // namespace postern::dns
