#pragma once

#include "io/entropy.h"

namespace postern::io {

/// The kernel's generator (getrandom). CHECKs that it answers.
class RealEntropy final : public Entropy {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

}  // namespace postern::io
