#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace postern::sim {

/// What is left to chance, repeatable by its seed. Each part of the town has its own, so that a
/// change in one does not shift the luck of the others.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  bool chance_per_mille(std::uint64_t per_mille) { return random_.below(1000) < per_mille; }
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  std::uint64_t next() { return random_.next(); }
  Duration between(Duration min, Duration max) {
    return min + Duration(static_cast<std::int64_t>(
                     random_.below(static_cast<std::uint64_t>((max - min).count() + 1))));
  }
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[random_.below(from.size())];
  }

 private:
  SplitMix64 random_;
};

}  // namespace postern::sim
