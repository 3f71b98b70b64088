#pragma once

#include <cstdint>
#include <string>

#include "io/task.h"
#include "mail/address.h"

namespace postern::policy {

enum class ProbeState : std::uint8_t {
  exists,
  unknown,    ///< the next hop refused this recipient for good
  undecided,  ///< no answer, or one that says nothing of the recipient
};

/// What a domain's next hop said about one recipient.
struct ProbeAnswer {
  ProbeState state = ProbeState::undecided;
  std::string status;      ///< of `unknown`, RFC 3463, class 5: "5.1.1"
  std::string reply;       ///< what the next hop said, or our own words about why it said nothing
  bool timed_out = false;  ///< `undecided`: the answer is still waited for
  bool operator==(const ProbeAnswer&) const = default;
};

/// Asks the next hop of a recipient's domain whether it takes mail for the recipient. The sending
/// half can; `server` binds the two. Outlives the RecipientCheck that asks.
class RecipientProbe {
 public:
  virtual ~RecipientProbe() = default;
  /// Ends by itself in bounded time, which may be longer than a client should wait.
  virtual io::Task<ProbeAnswer> ask(mail::Mailbox recipient) = 0;
};

}  // namespace postern::policy
