#include "server/tls_ports.h"

#include <utility>

#include "net/tls_stream.h"

namespace postern::server {
namespace {

using StreamResult = Result<std::unique_ptr<io::Stream>>;

io::Task<StreamResult> accept_tls(std::shared_ptr<const net::TlsContext> context,
                                  std::unique_ptr<io::Stream> plain, io::Deadline deadline) {
  auto stream = std::make_unique<net::TlsStream>(std::move(plain), *context);
  CO_TRY_VOID(co_await stream->handshake(deadline));
  co_return StreamResult(std::move(stream));
}

}  // namespace

session::StartTls inbound_tls(std::shared_ptr<const net::TlsContext> context) {
  if (!context) return {};
  return [context](std::unique_ptr<io::Stream> plain, io::Deadline deadline) {
    return accept_tls(context, std::move(plain), deadline);
  };
}

TlsClientPort::TlsClientPort() : context_(net::TlsContext::client()) {}

io::Task<StreamResult> TlsClientPort::start(std::unique_ptr<io::Stream> plain, std::string host,
                                            io::Deadline deadline) {
  if (!context_) co_return fail(context_.error());
  auto stream = std::make_unique<net::TlsStream>(std::move(plain), *context_, host);
  CO_TRY_VOID(co_await stream->handshake(deadline));
  co_return StreamResult(std::move(stream));
}

}  // namespace postern::server
