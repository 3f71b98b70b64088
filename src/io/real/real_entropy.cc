#include "io/real/real_entropy.h"

#include <cerrno>
#include <sys/random.h>

#include "base/check.h"

namespace postern::io {

void RealEntropy::fill(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    CHECK(count > 0);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace postern::io
