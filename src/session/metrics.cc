#include "session/metrics.h"

namespace postern::session {

// RFC 5321 section 4.2.1: a reply has one line whose code is followed by a space, its last.
void Metrics::count_replies(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() > 3 && bytes[3] == ' ' && bytes[0] >= '2' && bytes[0] <= '5')
      ++replies[static_cast<ReplyClass>(bytes[0] - '0')];
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace postern::session
