#include "io/real/real_listener.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"
#include "io/real/failure.h"
#include "io/real/real_stream.h"
#include "io/real/sockaddr.h"

namespace postern::io {
namespace {

/// accept(2): the connection died in the queue, or its network had an error; the next may be well.
bool concerns_that_connection_only(int error_number) {
  switch (error_number) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

RealListener::RealListener(Poller& poller, Clock& clock, Fd socket, std::string local_path)
    : poller_(poller),
      clock_(clock),
      socket_(std::move(socket)),
      local_path_(std::move(local_path)) {}

RealListener::~RealListener() {
  close();
}

Result<> RealListener::start() {
  SocketAddress address;
  if (::getsockname(socket_.get(), address.get(), &address.length) == 0) {
    local_ = to_endpoint(address);
  }
  if (!poller_.add(socket_.get(), *this)) return listen_failure(errno, "watch a listener");
  return {};
}

Task<Result<std::unique_ptr<Stream>>> RealListener::accept() {
  CHECK(waiter_ == nullptr);
  while (socket_.is_open()) {
    if (!pending_) {
      Waiter waiter;
      waiter_ = &waiter;
      co_await waiter.suspend();
      waiter_ = nullptr;
      continue;
    }
    SocketAddress address;
    Fd accepted(
        ::accept4(socket_.get(), address.get(), &address.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.is_open()) {
      auto stream =
          std::make_unique<RealStream>(poller_, clock_, std::move(accepted), to_endpoint(address));
      CO_TRY_VOID(stream->start());
      co_return stream;
    }
    if (errno == EAGAIN) {
      pending_ = false;
    } else if (!concerns_that_connection_only(errno)) {
      co_return socket_failure(errno, "accept");
    }
  }
  co_return our_failure(Cause::cancelled, "the listener was closed");
}

void RealListener::on_ready(std::uint32_t) {
  pending_ = true;
  if (waiter_ != nullptr) waiter_->resume();
}

void RealListener::close() {
  if (socket_.is_open() && !local_path_.empty()) ::unlink(local_path_.c_str());
  socket_.reset();
  if (waiter_ != nullptr) waiter_->resume();
}

}  // namespace postern::io
