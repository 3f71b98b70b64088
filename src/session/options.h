#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "smtp/server_machine.h"

namespace postern::session {

/// Whom we relay for.
struct RelayOptions {
  /// Recipient domains; ".example.com" stands for its subdomains, not for itself. In any case, also
  /// U-labels.
  std::vector<std::string> domains;
  /// Clients that may relay anywhere.
  std::vector<IpNetwork> networks;
};

/// Which mail bears an X-Postern-Unknown-IP field, for filters behind us.
enum class UnknownIpHeader : std::uint8_t {
  never,
  tagged,  ///< mail that is not simply accepted: tagged, or observed and would have been refused
  always,
};

/// Who is believed about who the client is (docs/clients.md).
struct ProxyOptions {
  /// Their connections must begin with a PROXY protocol header.
  std::vector<IpNetwork> proxy_protocol;
  Duration header_timeout = std::chrono::seconds(5);
  std::vector<IpNetwork> xclient;   ///< may use XCLIENT
  std::vector<IpNetwork> xforward;  ///< may use XFORWARD
};

/// What the receiving half can be told. Immutable once given to the server: a reload gives another
/// one, and sessions under way keep theirs.
struct Options {
  smtp::ServerOptions smtp;  ///< host name, limits and timeouts of a session
  RelayOptions relay;
  ProxyOptions proxies;
  /// Where mail for "postmaster" without a domain goes; empty: postmaster@<host name>.
  std::string postmaster;
  std::size_t sessions_max = 10'000;          ///< of one shard
  std::size_t sessions_per_client_max = 100;  ///< of one shard, by address
  /// RFC 5321 section 6.3: a message with more Received fields loops; at least 100 are suggested
  /// there, yet 50 are what working hosts use.
  std::size_t received_max = 50;
  Duration data_total_timeout = smtp::data_total_timeout_default;
  Duration handshake_timeout = std::chrono::seconds(60);
  /// How long to wait with the greeting for one who talks before it; 0 greets at once.
  Duration greeting_delay{};
  UnknownIpHeader unknown_ip_header = UnknownIpHeader::tagged;
  bool postfix_rejects = false;  ///< also log each refusal in Postfix's format
};

using SharedOptions = std::shared_ptr<const Options>;

}  // namespace postern::session
