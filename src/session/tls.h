#pragma once

#include "net/tls_context.h"
#include "session/session.h"

namespace postern::session {

/// STARTTLS with this certificate, for SmtpServer::set_tls. `context` is a server's and outlives
/// the server.
StartTls start_tls_with(const net::TlsContext& context);

}  // namespace postern::session
