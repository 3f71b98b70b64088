#include "session/metrics.h"

#include <array>

namespace postern::session {

std::string_view decided_at_name(DecidedAt step) {
  static constexpr std::array<std::string_view, 5> names{"connect", "ehlo", "mail", "rcpt", "data"};
  return names.at(static_cast<std::size_t>(step));
}

DecidedAt decided_at(policy::AnswerAt step) {
  switch (step) {
    case policy::AnswerAt::connect:
      return DecidedAt::connect;
    case policy::AnswerAt::ehlo:
      return DecidedAt::ehlo;
    case policy::AnswerAt::mail:
      return DecidedAt::mail;
    case policy::AnswerAt::rcpt:
      break;
  }
  return DecidedAt::rcpt;
}

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
