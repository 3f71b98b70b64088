#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "dns/resolver.h"
#include "dns/unbound_events.h"
#include "io/clock.h"
#include "io/descriptors.h"

extern "C" {
struct ub_ctx;
}

namespace postern::dns {

/// Where the trust anchor of Debian's dns-root-data lies.
inline constexpr std::string_view trust_anchor_file_default = "/usr/share/dns/root.key";

/// A zone whose authoritative servers are known, so that nobody else is asked about it: an internal
/// reverse zone. Not the root.
struct StubZone {
  std::string name;  ///< "10.in-addr.arpa"
  std::vector<Endpoint> servers;
  bool operator==(const StubZone&) const = default;
};

/// What `dns` in the configuration sets.
struct UnboundOptions {
  /// Who is asked. Empty: the authoritative servers themselves, from the root.
  std::vector<Endpoint> forwarders;
  std::vector<StubZone> stub_zones = {};
  /// A file of DS or DNSKEY records; empty: no DNSSEC validation.
  std::string trust_anchor_file = {};
  /// Records and messages together; libunbound keeps about as much again for its own upkeep.
  std::size_t cache_bytes_max = std::size_t{64} << 20;
  /// Lookups under way; beyond it a lookup ends as timed_out at once.
  std::size_t lookups_max = 4096;
  /// Sockets to ask with, all at once; further questions wait for one.
  std::size_t sockets_max = 512;
};

/// The `nameserver` lines of a resolv.conf, at most three as the C library takes them; without one,
/// the name server of this machine.
std::vector<Endpoint> forwarders_from_resolv_conf(std::string_view text);

/// The real Resolver, over libunbound: caching, iterative or forwarding, validating. On one shard,
/// whose clock and descriptors it uses; nothing blocks. Files (the trust anchor) are read at the
/// first lookup.
///
/// A REFUSED or lame server is serv_fail, as is a server that stays silent when libunbound gives up
/// before the deadline.
class UnboundResolver final : public Resolver {
 public:
  /// Fails when an option is not usable: Blame::operator_.
  static Result<std::unique_ptr<UnboundResolver>> create(io::Clock& clock,
                                                         io::Descriptors& descriptors,
                                                         UnboundOptions options);
  /// After stop(), when the lookups have ended.
  ~UnboundResolver() override;
  UnboundResolver(const UnboundResolver&) = delete;
  UnboundResolver& operator=(const UnboundResolver&) = delete;

  io::Task<Answer> lookup(std::string name, Type type, io::Deadline deadline) override;
  void stop() override;

  /// Questions that libunbound works on, whether or not somebody still waits.
  [[nodiscard]] std::size_t under_way() const { return queries_.size(); }

 private:
  struct Query;

  UnboundResolver(io::Clock& clock, io::Descriptors& descriptors, UnboundOptions options);
  Result<> configure();
  Result<> set_option(const char* name, const std::string& value);
  std::shared_ptr<Query> query_for(const std::string& name, Type type);
  static void on_answer(void* query, int code, void* packet, int packet_bytes, int security,
                        char* why_bogus, int rate_limited);
  void finish(Query& query, Answer answer);

  io::Clock& clock_;
  UnboundOptions options_;
  UnboundEvents events_;
  ub_ctx* context_ = nullptr;
  bool stopped_ = false;
  std::unordered_map<std::string, std::shared_ptr<Query>> queries_;  ///< by type and name
};

}  // namespace postern::dns
