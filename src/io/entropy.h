#pragma once

#include <cstdint>
#include <span>

namespace postern::io {

/// Unguessable bytes (in the simulator: repeatable ones).
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;
  std::uint64_t next_u64() {
    std::uint64_t value = 0;
    fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
  }
};

}  // namespace postern::io
