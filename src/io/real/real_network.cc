#include "io/real/real_network.h"

#include <cerrno>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/real/failure.h"
#include "io/real/fd.h"
#include "io/real/real_listener.h"
#include "io/real/real_stream.h"
#include "io/real/sockaddr.h"

namespace postern::io {
namespace {

// Linux cuts it to net.core.somaxconn (4096 by default).
constexpr int backlog_max = 4096;

Fd new_socket(int family) {
  return Fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool set_option(const Fd& socket, int level, int option) {
  const int on = 1;
  return ::setsockopt(socket.get(), level, option, &on, sizeof on) == 0;
}

/// A socket file that nobody listens on is left over from a crash.
bool is_stale(SocketAddress& address) {
  const Fd probe = new_socket(AF_UNIX);
  return probe.is_open() && ::connect(probe.get(), address.get(), address.length) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

Result<std::unique_ptr<Listener>> RealNetwork::listen(Endpoint at) {
  const std::string doing = "listen on " + at.text();
  SocketAddress address = to_socket_address(at);
  Fd socket = new_socket(address.family());
  if (!socket.is_open()) return listen_failure(errno, doing);
  if (address.family() == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR);
  if (sharing_ == PortSharing::between_shards) set_option(socket, SOL_SOCKET, SO_REUSEPORT);
  // Accepted sockets inherit it on Linux: one call instead of one for each connection.
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  if (::bind(socket.get(), address.get(), address.length) != 0 ||
      ::listen(socket.get(), backlog_max) != 0) {
    return listen_failure(errno, doing);
  }
  auto listener = std::make_unique<RealListener>(poller_, clock_, std::move(socket), "");
  TRY_VOID(listener->start());
  return listener;
}

Task<Result<std::unique_ptr<Stream>>> RealNetwork::connect(Endpoint to, Deadline deadline,
                                                           const IpAddress* from) {
  const std::string doing = "connect to " + to.text();
  SocketAddress address = to_socket_address(to);
  Fd socket = new_socket(address.family());
  if (!socket.is_open()) co_return socket_failure(errno, doing);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  if (from != nullptr) {
    // The port is chosen at connect, so that the pair of endpoints has to be unique, not the port.
    set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    SocketAddress source = to_socket_address({*from, 0});
    if (::bind(socket.get(), source.get(), source.length) != 0) {
      co_return operator_failure(
          Cause::other, fmt::format("{} from {}: the source address is not one of this host's or "
                                    "of another family",
                                    doing, from->text()));
    }
  }
  const bool made = ::connect(socket.get(), address.get(), address.length) == 0;
  if (!made && errno != EINPROGRESS) co_return socket_failure(errno, doing);
  auto stream = std::make_unique<RealStream>(poller_, clock_, std::move(socket), to);
  CO_TRY_VOID(stream->start());
  if (!made) CO_TRY_VOID(co_await stream->connected(deadline, doing));
  co_return stream;
}

Result<std::unique_ptr<Listener>> RealNetwork::listen_local(std::string path) {
  TRY(SocketAddress address, to_local_address(path));
  const std::string doing = "listen on " + path;
  Fd socket = new_socket(AF_UNIX);
  if (!socket.is_open()) return listen_failure(errno, doing);
  // Made 0600 before anybody can connect, since it cannot be connected to before listen().
  if (::bind(socket.get(), address.get(), address.length) != 0) {
    if (errno != EADDRINUSE || !is_stale(address)) return listen_failure(errno, doing);
    ::unlink(path.c_str());
    if (::bind(socket.get(), address.get(), address.length) != 0) {
      return listen_failure(errno, doing);
    }
  }
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(socket.get(), backlog_max) != 0) {
    return listen_failure(errno, doing);
  }
  auto listener = std::make_unique<RealListener>(poller_, clock_, std::move(socket), path);
  TRY_VOID(listener->start());
  return listener;
}

Task<Result<std::unique_ptr<Stream>>> RealNetwork::connect_local(std::string path,
                                                                 Deadline deadline) {
  CO_TRY(SocketAddress address, to_local_address(path));
  const std::string doing = "connect to " + path;
  Fd socket = new_socket(AF_UNIX);
  if (!socket.is_open()) co_return socket_failure(errno, doing);
  const bool made = ::connect(socket.get(), address.get(), address.length) == 0;
  if (!made && errno != EINPROGRESS) co_return socket_failure(errno, doing);
  auto stream = std::make_unique<RealStream>(poller_, clock_, std::move(socket), Endpoint{});
  CO_TRY_VOID(stream->start());
  if (!made) CO_TRY_VOID(co_await stream->connected(deadline, doing));
  co_return stream;
}

}  // namespace postern::io
