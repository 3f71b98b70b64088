#include "session/tls.h"

#include <utility>

#include "net/tls_stream.h"

namespace postern::session {
namespace {

io::Task<Result<std::unique_ptr<io::Stream>>> handshake(
    std::shared_ptr<const net::TlsContext> context, std::unique_ptr<io::Stream> stream,
    io::Deadline deadline) {
  auto encrypted = std::make_unique<net::TlsStream>(std::move(stream), *context);
  const auto done = co_await encrypted->handshake(deadline);
  if (!done) co_return fail(done.error());
  co_return std::move(encrypted);
}

}  // namespace

StartTls start_tls_with(std::shared_ptr<const net::TlsContext> context) {
  if (!context) return {};
  return [context = std::move(context)](std::unique_ptr<io::Stream> stream, io::Deadline deadline) {
    return handshake(context, std::move(stream), deadline);
  };
}

}  // namespace postern::session
