#pragma once

#include <memory>
#include <optional>
#include <string>

#include "delivery/tls.h"
#include "net/tls_context.h"
#include "session/session.h"

namespace postern::server {

/// What `session` asks for STARTTLS inbound, over `net`; empty without a context.
session::StartTls inbound_tls(std::shared_ptr<const net::TlsContext> context);

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
