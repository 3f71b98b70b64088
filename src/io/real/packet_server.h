#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "io/task.h"

namespace postern::io {

/// A server for tests of protocols whose messages go by UDP and, with two bytes of length before
/// each, by TCP (DNS): at one loopback port of both. One message a TCP connection.
class PacketServer {
 public:
  enum class Transport : std::uint8_t { udp, tcp };
  /// The bytes to send back; nullopt is silence.
  using Respond = std::function<std::optional<std::string>(std::string_view message, Transport)>;

  /// Aborts when no port can be bound: for tests only.
  PacketServer(const Executor& executor, Respond respond);
  ~PacketServer();
  PacketServer(const PacketServer&) = delete;
  PacketServer& operator=(const PacketServer&) = delete;

  [[nodiscard]] Endpoint local() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace postern::io
