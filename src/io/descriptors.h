#pragma once

#include <cstdint>

namespace postern::io {

/// What a descriptor is ready for, or is waited for.
enum class Readiness : std::uint8_t { none = 0, read = 1, write = 2, both = 3 };
[[nodiscard]] constexpr bool has(Readiness all, Readiness one) {
  return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0;
}
[[nodiscard]] constexpr Readiness operator|(Readiness a, Readiness b) {
  return static_cast<Readiness>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// Watches descriptors that somebody else owns: for libraries that bring their own sockets and take
/// an event loop. On one shard. Only the real world has it.
class Descriptors {
 public:
  using WatchId = std::uint64_t;  ///< never 0, never used twice

  /// Who is told. May unwatch anything, and end itself, inside the call.
  class Watcher {
   public:
    virtual void on_ready(Readiness readiness) = 0;

   protected:
    ~Watcher() = default;
  };

  virtual ~Descriptors() = default;
  /// Tells `watcher`, again and again as long as it is so, that `descriptor` is ready; never inside
  /// this call. Errors count as ready for everything asked. One watch for each descriptor. 0 when
  /// the system refuses.
  virtual WatchId watch(int descriptor, Readiness wanted, Watcher& watcher) = 0;
  /// No more calls. Before the descriptor is closed. No effect on what is not watched.
  virtual void unwatch(WatchId id) = 0;
};

}  // namespace postern::io
