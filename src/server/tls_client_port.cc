#include "server/tls_client_port.h"

#include <utility>

#include "net/tls_stream.h"

namespace postern::server {

TlsClientPort::TlsClientPort() : context_(net::TlsContext::client()) {}

io::Task<Result<std::unique_ptr<io::Stream>>> TlsClientPort::start(
    std::unique_ptr<io::Stream> plain, std::string host, io::Deadline deadline) {
  if (!context_) co_return fail(context_.error());
  auto stream = std::make_unique<net::TlsStream>(std::move(plain), *context_, host);
  CO_TRY_VOID(co_await stream->handshake(deadline));
  co_return std::move(stream);
}

}  // namespace postern::server
