// Peers write into mail logs what they like: reading never crashes, and every text it finds is part
// of the line.
#include <cstdlib>

#include "maillog/reader.h"

namespace {

using namespace postern;

bool inside(std::string_view part, std::string_view line) {
  return part.empty() ||
         (part.data() >= line.data() && part.data() + part.size() <= line.data() + line.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(bytes), size);
  maillog::Reader reader(WallTime(std::chrono::hours(24 * 365 * 56)), Duration{});
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const maillog::Entry entry = reader.read(line);
    for (const std::string_view part : {entry.queue_id, entry.client_name, entry.helo, entry.sender,
                                        entry.recipient, entry.enhanced, entry.text})
      if (!inside(part, line)) std::abort();
  }
  return 0;
}
