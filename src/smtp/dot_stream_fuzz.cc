#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "smtp/dot_stream.h"

using namespace postern::smtp;

namespace {

struct Outcome {
  std::string content;
  std::size_t used = 0;
  bool ended = false;
  DotReader::Fault fault = DotReader::Fault::none;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view text, std::size_t chunk, BareNewline bare) {
  DotReader reader({bare, 1000});
  Outcome outcome;
  while (outcome.used < text.size() && !reader.ended())
    outcome.used += reader.feed(text.substr(outcome.used, chunk), outcome.content);
  outcome.ended = reader.ended();
  outcome.fault = reader.fault();
  return outcome;
}

}  // namespace

/// Any chunking gives the same; only CRLF "." CRLF ends; what comes out has no bare CR or LF and
/// survives being sent on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t chunk = 1 + bytes[0] % 7;
  const std::string_view text(reinterpret_cast<const char*>(bytes + 1), size - 1);
  for (const BareNewline bare : {BareNewline::refuse, BareNewline::normalize}) {
    const Outcome whole = read(text, text.size() + 1, bare);
    CHECK(whole == read(text, chunk, bare));
    const std::size_t end = ("\r\n" + std::string(text)).find("\r\n.\r\n");
    CHECK(whole.ended == (end != std::string::npos));
    CHECK(!whole.ended || whole.used == end + 3);
    if (!whole.ended || whole.fault != DotReader::Fault::none) continue;
    for (std::size_t i = 0; i < whole.content.size(); ++i) {
      if (whole.content[i] == '\r')
        CHECK(i + 1 < whole.content.size() && whole.content[i + 1] == '\n');
      if (whole.content[i] == '\n') CHECK(i > 0 && whole.content[i - 1] == '\r');
    }
    DotWriter writer;
    std::string sent;
    writer.write(whole.content, sent);
    writer.finish(sent);
    const Outcome again = read(sent, chunk, BareNewline::refuse);
    CHECK(again.ended && again.used == sent.size() && again.content == whole.content);
  }
  return 0;
}
