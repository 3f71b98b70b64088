#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dns/testing/manners.h"
#include "dns/testing/message.h"
#include "dns/testing/zone_signer.h"
#include "dns/zone_text.h"
#include "io/real/packet_server.h"
#include "io/task.h"

namespace postern::dns {

/// All that a ScriptedServer says and does.
struct ServerScript {
  Zone zone = {};
  Zone forged = {};      ///< what a forger would have others believe; see Manner
  Manners manners = {};  ///< where it does not behave
  bool refuses_tcp = false;
  bool authoritative = false;  ///< speaks for its zones only: aliases are not followed
  std::vector<std::string> signed_zones = {};  ///< apexes
};

/// A DNS server on loopback over UDP and TCP, for tests of the real resolver. It answers from a
/// zone as a resolver does (whole CNAME chains), or as an authority: SERVFAIL, REFUSED and silence
/// as the zone says (BOGUS is SERVFAIL), truncation where an answer does not fit, signatures for
/// signed zones, raw bytes for chosen names, and whatever bad manners the script has.
class ScriptedServer {
 public:
  ScriptedServer(const io::Executor& executor, Zone zone);
  /// `now`: when the signatures are valid.
  ScriptedServer(const io::Executor& executor, ServerScript script, WallTime now);

  [[nodiscard]] Endpoint local() const { return server_.local(); }
  void set_zone(Zone zone) { script_.zone = std::move(zone); }
  /// Every question is met with silence, as when the server is down.
  void set_silent(bool silent) { silent_ = silent; }
  /// Questions for `name` are answered with these bytes after the two of the message id.
  void set_raw(std::string name, std::string bytes) { raw_[std::move(name)] = std::move(bytes); }
  [[nodiscard]] std::size_t udp_questions() const { return udp_questions_; }
  [[nodiscard]] std::size_t tcp_questions() const { return tcp_questions_; }
  /// The keys of the signed zones, as a trust anchor file has them.
  [[nodiscard]] std::string trust_anchors() const;

 private:
  using Transport = io::PacketServer::Transport;
  using Reply = io::PacketServer::Reply;

  std::vector<Reply> respond(std::string_view message, Transport transport);
  [[nodiscard]] std::vector<Reply> replies(const Question& question, const Manner& manner,
                                           bool is_udp) const;
  [[nodiscard]] std::optional<Response> well_behaved(const Question& question) const;
  /// nullopt is silence.
  [[nodiscard]] std::optional<Response> response_to(const Question& question,
                                                    const Manner& manner) const;
  void change(Response& response, const Manner& manner) const;
  void sign(const Question& question, Response& response, const Manner& manner) const;
  void prove_missing(const ZoneSigner& signer, const std::string& name, Response& response) const;
  [[nodiscard]] const ZoneSigner* signer_of(std::string_view name) const;

  ServerScript script_;
  std::vector<std::unique_ptr<ZoneSigner>> signers_;
  std::map<std::string, std::string> raw_;
  std::map<std::pair<std::string, std::uint16_t>, unsigned> asked_;
  bool silent_ = false;
  std::size_t udp_questions_ = 0;
  std::size_t tcp_questions_ = 0;
  io::PacketServer server_;
};

}  // namespace postern::dns
