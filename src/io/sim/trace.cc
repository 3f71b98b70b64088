#include "io/sim/trace.h"

#include <fmt/format.h>

#include "base/text.h"

namespace postern::io {

void Trace::record(SteadyTime time, std::string_view kind, std::string_view bytes) {
  const std::int64_t nanoseconds = time.time_since_epoch().count();
  mix({reinterpret_cast<const char*>(&nanoseconds), sizeof nanoseconds});
  mix(kind);
  const std::uint64_t size = bytes.size();
  mix({reinterpret_cast<const char*>(&size), sizeof size});
  mix(bytes);
  ++events_;
  if (keep_text_ && text_.size() < lines_max) {
    text_.push_back(fmt::format("{:.6f} {}: {}", static_cast<double>(nanoseconds) / 1e9, kind,
                                printable(bytes)));
  }
}

void Trace::mix(std::string_view bytes) {
  // FNV-1a.
  for (const char c : bytes) {
    hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
}

}  // namespace postern::io
