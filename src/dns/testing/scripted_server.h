#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "dns/zone_text.h"
#include "io/real/packet_server.h"
#include "io/task.h"

namespace postern::dns {

/// A DNS server on loopback that answers from a zone as a resolver does (whole CNAME chains), for
/// tests of the real resolver: SERVFAIL, REFUSED and silence as the zone says (BOGUS is SERVFAIL),
/// truncation where an answer does not fit, and raw bytes for chosen names.
class ScriptedServer {
 public:
  ScriptedServer(const io::Executor& executor, Zone zone);

  [[nodiscard]] Endpoint local() const { return server_.local(); }
  void set_zone(Zone zone) { zone_ = std::move(zone); }
  /// Every question is met with silence, as when the server is down.
  void set_silent(bool silent) { silent_ = silent; }
  /// Questions for `name` are answered with these bytes after the two of the message id.
  void set_raw(std::string name, std::string bytes) { raw_[std::move(name)] = std::move(bytes); }
  [[nodiscard]] std::size_t udp_questions() const { return udp_questions_; }
  [[nodiscard]] std::size_t tcp_questions() const { return tcp_questions_; }

 private:
  std::optional<std::string> respond(std::string_view message,
                                     io::PacketServer::Transport transport);

  Zone zone_;
  std::map<std::string, std::string> raw_;
  bool silent_ = false;
  std::size_t udp_questions_ = 0;
  std::size_t tcp_questions_ = 0;
  io::PacketServer server_;
};

}  // namespace postern::dns
