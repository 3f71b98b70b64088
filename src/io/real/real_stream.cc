#include "io/real/real_stream.h"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

#include "base/check.h"
#include "io/real/failure.h"
#include "io/real/sockaddr.h"

namespace postern::io {

RealStream::RealStream(Poller& poller, Clock& clock, Fd socket, const Endpoint& remote)
    : poller_(poller), clock_(clock), socket_(std::move(socket)), remote_(remote) {}

RealStream::~RealStream() {
  close();
}

Result<> RealStream::start() {
  if (!poller_.add(socket_.get(), *this)) {
    const int error_number = errno;
    socket_.reset();
    return socket_failure(error_number, "watch a connection");
  }
  return {};
}

Task<Result<>> RealStream::connected(Deadline deadline, std::string_view doing) {
  writable_ = false;
  while (!writable_) {
    if (!socket_.is_open()) co_return closed_by_us();
    if (passed(deadline)) co_return deadline_passed(doing);
    co_await wait(Direction::write, deadline);
  }
  int error_number = 0;
  socklen_t length = sizeof error_number;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_number, &length);
  if (error_number != 0) co_return socket_failure(error_number, doing);
  co_return Result<>{};
}

Task<Result<>> RealStream::readable(Deadline deadline) {
  while (socket_.is_open()) {
    if (readable_ || read_ended_) co_return Result<>{};
    if (passed(deadline)) co_return deadline_passed("read");
    co_await wait(Direction::read, deadline);
  }
  co_return closed_by_us();
}

Task<Result<std::size_t>> RealStream::read_some(std::span<char> into, Deadline deadline) {
  CHECK(!into.empty());
  while (socket_.is_open()) {
    if (passed(deadline)) co_return deadline_passed("read");
    if (readable_ || read_ended_) {
      const ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
      if (count >= 0) {
        // Fewer than asked for: the socket is empty now, and whatever comes is a new edge.
        if (static_cast<std::size_t>(count) < into.size()) readable_ = false;
        if (count == 0) read_ended_ = true;
        co_return static_cast<std::size_t>(count);
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return socket_failure(errno, "read");
      readable_ = false;
      read_ended_ = false;
    }
    co_await wait(Direction::read, deadline);
  }
  co_return closed_by_us();
}

Task<Result<>> RealStream::write_all(std::string_view bytes, Deadline deadline) {
  while (socket_.is_open()) {
    if (bytes.empty()) co_return Result<>{};
    if (passed(deadline)) co_return deadline_passed("write");
    if (writable_) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return socket_failure(errno, "write");
      writable_ = false;
    }
    co_await wait(Direction::write, deadline);
  }
  co_return closed_by_us();
}

Task<> RealStream::wait(Direction direction, Deadline deadline) {
  Pending& mine = pending(direction);
  CHECK(mine.waiter == nullptr);
  Waiter waiter;
  mine = {&waiter, deadline};
  arm(deadline);
  co_await waiter.suspend();
  mine = {};
}

void RealStream::on_ready(std::uint32_t epoll_events) {
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) read_ended_ = true;
  if ((epoll_events & EPOLLIN) != 0) readable_ = true;
  if ((epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  if ((readable_ || read_ended_) && reader_.waiter != nullptr) reader_.waiter->resume();
  if (writable_ && writer_.waiter != nullptr) writer_.waiter->resume();
}

void RealStream::arm(Deadline deadline) {
  if (deadline.is_never() || (timer_ != 0 && timer_time_ <= deadline.time())) return;
  if (timer_ != 0) clock_.cancel(timer_);
  timer_time_ = deadline.time();
  timer_ = clock_.call_at(timer_time_, [this] { on_timer(); });
}

void RealStream::on_timer() {
  timer_ = 0;
  for (const Pending& each : {reader_, writer_}) {
    if (each.waiter == nullptr) continue;
    if (passed(each.deadline)) {
      each.waiter->resume();
    } else {
      arm(each.deadline);
    }
  }
}

void RealStream::close() {
  socket_.reset();
  if (timer_ != 0) clock_.cancel(std::exchange(timer_, 0));
  if (reader_.waiter != nullptr) reader_.waiter->resume();
  if (writer_.waiter != nullptr) writer_.waiter->resume();
}

std::size_t RealStream::write_now(std::string_view bytes) {
  if (!socket_.is_open()) return 0;
  const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void RealStream::shutdown_write() {
  if (socket_.is_open()) ::shutdown(socket_.get(), SHUT_WR);
}

Endpoint RealStream::local() const {
  SocketAddress address;
  if (::getsockname(socket_.get(), address.get(), &address.length) != 0) return {};
  return to_endpoint(address);
}

}  // namespace postern::io
