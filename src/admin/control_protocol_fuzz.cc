#include <cstddef>
#include <cstdint>
#include <string_view>

#include "admin/control_protocol.h"
#include "base/check.h"

// Whatever is sent to the control socket is understood or refused, and what is understood survives
// being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace postern::admin;
  const std::string_view line(reinterpret_cast<const char*>(bytes), size);
  if (const auto request = parse_request(line)) {
    const auto again = parse_request(format_request(*request));
    CHECK(again.has_value());
    CHECK(again->verb == request->verb);
  }
  if (const auto reply = parse_reply(line)) CHECK(reply->contains("ok"));
  return 0;
}
