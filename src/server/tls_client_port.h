#pragma once

#include <memory>
#include <string>

#include "delivery/tls.h"
#include "net/tls_context.h"

namespace postern::server {

/// What `delivery` asks for STARTTLS outbound, over `net`. RFC 7435: opportunistic, no certificate
/// is verified.
class TlsClientPort final : public delivery::TlsClient {
 public:
  TlsClientPort();
  io::Task<Result<std::unique_ptr<io::Stream>>> start(std::unique_ptr<io::Stream> plain,
                                                      std::string host,
                                                      io::Deadline deadline) override;

 private:
  Result<net::TlsContext> context_;
};

}  // namespace postern::server
