#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/crc.hpp>

#include "base/ip.h"

namespace postern::net {

/// Whose connection a PROXY protocol header says it is.
struct ProxyHeader {
  enum class Kind : std::uint8_t {
    client,   ///< `source` is the client's
    unknown,  ///< forwarded, but the proxy does not know from whom: the socket's own addresses
              ///< count
    local,    ///< the proxy's own connection, usually a health check; the same
  };
  Kind kind = Kind::unknown;
  Endpoint source;       ///< for Kind::client
  Endpoint destination;  ///< what the client connected to; for Kind::client

  bool operator==(const ProxyHeader&) const = default;
};

/// Reads the header that a proxy sends before anything else, as haproxy's specification
/// proxy-protocol.txt defines it: version 1 (section 2.1, a line of at most 107 bytes) and version
/// 2 (section 2.2, binary, at most 65,551 bytes). Bytes in, a header or a fault out; any chunking
/// gives the same. Holds at most block_bytes_max bytes: TLVs are walked over as they pass, and the
/// checksum among them is verified. Unix-domain and datagram addresses name nobody that could be
/// looked up: Kind::unknown.
class ProxyHeaderReader {
 public:
  enum class State : std::uint8_t { reading, complete, malformed };

  /// While reading: how many bytes may be read at once without reading beyond the header; at least
  /// one. What comes behind the header belongs to the protocol after it.
  [[nodiscard]] std::size_t wanted() const;
  /// Takes what belongs to the header and returns how much that was.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  /// When complete.
  [[nodiscard]] const ProxyHeader& header() const { return header_; }
  /// When malformed: what is wrong, in our own words, for the log.
  [[nodiscard]] std::string_view fault() const { return fault_; }

  /// Section 2.1: the longest version 1 line, CRLF included.
  static constexpr std::size_t line_bytes_max = 107;
  /// The largest address block of version 2, that of Unix-domain sockets.
  static constexpr std::size_t block_bytes_max = 16 + 216;

 private:
  enum class Part : std::uint8_t { start, line, fixed, addresses, tlv_head, tlv_value, ignored };
  /// Section 2.2.3: CRC-32C.
  using Checksum = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

  void step(char c);
  void on_start();
  void on_line();
  void on_fixed();
  void on_addresses();
  void on_tlv_head();
  void next_tlv();
  void read_line();
  void begin(Part part, std::size_t bytes);
  void finish();
  void fail(std::string_view fault);

  State state_ = State::reading;
  Part part_ = Part::start;
  std::string held_;        // of the part that is being read; values of TLVs are not kept
  std::size_t left_ = 0;    // bytes still to come of a version 2 part
  std::size_t behind_ = 0;  // bytes of version 2's header behind the part
  ProxyHeader header_;
  std::string_view fault_;
  Checksum checksum_;
  std::uint32_t announced_checksum_ = 0;
  bool in_checksum_ = false;  // the TLV that is being read holds the checksum
  bool has_checksum_ = false;
};

}  // namespace postern::net
