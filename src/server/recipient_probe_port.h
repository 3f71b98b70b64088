#pragma once

#include "delivery/prober.h"
#include "policy/recipient_probe.h"

namespace postern::server {

/// What `policy` asks about recipients, over `delivery`, which alone knows the way to a next hop.
class RecipientProbePort final : public policy::RecipientProbe {
 public:
  explicit RecipientProbePort(delivery::Prober& prober) : prober_(prober) {}
  io::Task<policy::ProbeAnswer> ask(mail::Mailbox recipient) override;

 private:
  delivery::Prober& prober_;
};

}  // namespace postern::server
