#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "io/task.h"

namespace postern::io {

/// A server for tests of protocols whose messages go by UDP and, with two bytes of length before
/// each, by TCP (DNS): at one loopback port of both. One message a TCP connection.
class PacketServer {
 public:
  enum class Transport : std::uint8_t { udp, tcp };
  /// A message to send back, and how long after the question.
  struct Reply {
    std::string bytes;
    Duration after{};
  };
  /// What is sent back, several datagrams perhaps; nothing is silence. By TCP only the last one
  /// counts, at once, and without one the connection is closed.
  using Respond = std::function<std::vector<Reply>(std::string_view message, Transport)>;

  /// Aborts when no port can be bound: for tests only.
  PacketServer(const Executor& executor, Respond respond);
  ~PacketServer();
  PacketServer(const PacketServer&) = delete;
  PacketServer& operator=(const PacketServer&) = delete;

  [[nodiscard]] Endpoint local() const;
  /// Whoever connects by TCP is refused from now on.
  void refuse_tcp();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace postern::io
