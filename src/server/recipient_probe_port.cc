#include "server/recipient_probe_port.h"

#include <utility>

namespace postern::server {
namespace {

policy::ProbeState state_of(delivery::ProbeVerdict verdict) {
  switch (verdict) {
    case delivery::ProbeVerdict::exists:
      return policy::ProbeState::exists;
    case delivery::ProbeVerdict::unknown:
      return policy::ProbeState::unknown;
    case delivery::ProbeVerdict::undecided:
      break;
  }
  return policy::ProbeState::undecided;
}

}  // namespace

io::Task<policy::ProbeAnswer> RecipientProbePort::ask(mail::Mailbox recipient) {
  delivery::ProbeResult result = co_await prober_.probe(std::move(recipient));
  co_return policy::ProbeAnswer{.state = state_of(result.verdict),
                                .status = std::move(result.outcome.status),
                                .reply = std::move(result.outcome.reply)};
}

}  // namespace postern::server
