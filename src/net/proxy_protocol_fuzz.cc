#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "net/proxy_protocol.h"

using namespace postern;

namespace {

struct Outcome {
  net::ProxyHeaderReader reader;
  std::size_t used = 0;
};

/// Feeds `chunk` bytes at a time, 0: as many as the reader wants, which are never too many.
Outcome read(std::string_view bytes, std::size_t chunk) {
  Outcome outcome;
  while (outcome.used < bytes.size() &&
         outcome.reader.state() == net::ProxyHeaderReader::State::reading) {
    const std::size_t wanted = outcome.reader.wanted();
    CHECK(wanted > 0);
    const std::string_view part = bytes.substr(outcome.used, chunk == 0 ? wanted : chunk);
    const std::size_t used = outcome.reader.feed(part);
    CHECK(used > 0 && used <= part.size());
    CHECK(chunk > 0 || used == part.size() ||
          outcome.reader.state() == net::ProxyHeaderReader::State::malformed);
    outcome.used += used;
  }
  return outcome;
}

}  // namespace

/// Any bytes in any chunks: the same outcome, which ends where the header ends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Outcome whole = read(text, std::max<std::size_t>(size, 1));
  for (const std::size_t chunk : {0, 1, 7}) {
    const Outcome parts = read(text, chunk);
    CHECK(parts.reader.state() == whole.reader.state());
    CHECK(parts.used == whole.used);
    CHECK(parts.reader.fault() == whole.reader.fault());
    if (whole.reader.state() == net::ProxyHeaderReader::State::complete)
      CHECK(parts.reader.header() == whole.reader.header());
  }
  CHECK(whole.used <= 16 + 65'535);
  return 0;
}
