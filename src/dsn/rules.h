#pragma once

#include <string_view>

#include "mail/envelope.h"

namespace postern::dsn {

/// Whether anybody may be told about this message at all. False for the null reverse path: the
/// message is itself a report, and a report about a report could go round for ever.
[[nodiscard]] inline bool may_report(std::string_view reverse_path) {
  // RFC 5321 section 6.1: a report must not be sent in answer to a message from the null reverse
  // path.
  return !reverse_path.empty();
}

/// Whether the sender wants to hear that this recipient could not be reached.
[[nodiscard]] inline bool wants_failure_report(const mail::DsnNotify& notify) {
  // RFC 3461 section 4.1: NOTIFY=NEVER forbids every report about this recipient.
  return !notify.never && notify.wants_failure();
}

/// Whether the sender wants to hear that this recipient still has to wait.
[[nodiscard]] inline bool wants_delay_report(const mail::DsnNotify& notify) {
  // RFC 3461 section 4.1: without NOTIFY we may tell of delay; with one only if it says DELAY.
  return !notify.specified || (!notify.never && notify.delay);
}

/// Whether the sender asked to hear of success, which we must tell when the next hop will not.
[[nodiscard]] inline bool wants_success_report(const mail::DsnNotify& notify) {
  return notify.specified && !notify.never && notify.success;
}

}  // namespace postern::dsn
