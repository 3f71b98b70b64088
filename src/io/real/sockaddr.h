#pragma once

#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/ip.h"
#include "base/result.h"

namespace postern::io {

/// An address in the system's form.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

/// RFC 4291 section 2.5.5.2: an IPv4-mapped address becomes plain IPv4.
SocketAddress to_socket_address(const Endpoint& endpoint);
/// An empty endpoint for a Unix-domain socket.
Endpoint to_endpoint(const SocketAddress& address);
/// An error when the path is too long for the system (107 bytes).
Result<SocketAddress> to_local_address(std::string_view path);

}  // namespace postern::io
