#include "delivery/probe.h"

#include <array>
#include <cstddef>

namespace postern::delivery {
namespace {

// RFC 3463 section 3: whose matter a permanent refusal is, by its subject and detail.
bool speaks_of_recipient(const smtp::EnhancedStatus& status) {
  switch (status.subject) {
    case 1:  // the address; 7 and 8 are the sender's
      return status.detail != 7 && status.detail != 8;
    case 2:  // the mailbox; 2 is a full one, 3 a message that is too long for it
      return status.detail != 2 && status.detail != 3;
    case 4:  // the network; yet "550 5.4.1 Recipient address rejected" is how Exchange Online says
             // that its directory does not know an address
      return status.detail == 1;
    default:
      return false;
  }
}

// RFC 5321 section 4.2.2 and 4.2.3: 550, 551 and 553 refuse the mailbox; RFC 7504 section 4: 556
// the domain. 552 is one without room; 554 and the others say nothing of it.
bool speaks_of_recipient(int code) {
  return code == 550 || code == 551 || code == 553 || code == 556;
}

}  // namespace

std::string_view verdict_name(ProbeVerdict verdict) {
  static constexpr std::array<std::string_view, 3> names{"exists", "unknown", "undecided"};
  return names.at(static_cast<std::size_t>(verdict));
}

ProbeVerdict probe_verdict(const smtp::ClientOutcome& outcome) {
  if (outcome.stage != smtp::ClientStage::rcpt || !outcome.from_peer)
    return ProbeVerdict::undecided;
  if (outcome.verdict == smtp::ClientVerdict::delivered) return ProbeVerdict::exists;
  if (outcome.verdict != smtp::ClientVerdict::permanent) return ProbeVerdict::undecided;
  const auto& status = outcome.reply.enhanced;
  // X.0.0 says no more than the code does.
  const bool says_more = status && status->status_class == 5 && status->subject != 0;
  const bool refused =
      outcome.reply.code != 552 &&
      (says_more ? speaks_of_recipient(*status) : speaks_of_recipient(outcome.reply.code));
  return refused ? ProbeVerdict::unknown : ProbeVerdict::undecided;
}

}  // namespace postern::delivery
