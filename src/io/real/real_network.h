#pragma once

#include <cstdint>

#include "io/clock.h"
#include "io/network.h"
#include "io/real/poller.h"

namespace postern::io {

/// Whether several shards may listen on one endpoint, the kernel spreading connections over them.
enum class PortSharing : std::uint8_t { exclusive, between_shards };

/// TCP and Unix-domain sockets of the system. An IPv6 listener takes IPv6 only.
class RealNetwork final : public Network {
 public:
  RealNetwork(Poller& poller, Clock& clock, PortSharing sharing)
      : poller_(poller), clock_(clock), sharing_(sharing) {}

  Result<std::unique_ptr<Listener>> listen(Endpoint at) override;
  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline,
                                                const IpAddress* from = nullptr) override;
  Result<std::unique_ptr<Listener>> listen_local(std::string path) override;
  Task<Result<std::unique_ptr<Stream>>> connect_local(std::string path, Deadline deadline) override;

 private:
  Poller& poller_;
  Clock& clock_;
  PortSharing sharing_;
};

}  // namespace postern::io
