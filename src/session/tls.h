#pragma once

#include <memory>

#include "net/tls_context.h"
#include "session/session.h"

namespace postern::session {

/// STARTTLS with this certificate, for SmtpServer::set_tls. `context` is a server's; null: STARTTLS
/// is not offered. Sessions keep the context that they began with when a reload brings another.
StartTls start_tls_with(std::shared_ptr<const net::TlsContext> context);

}  // namespace postern::session
