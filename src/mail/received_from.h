#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/ip.h"

namespace postern::mail {

/// From whom the writer of a Received field got the message.
struct ReceivedFrom {
  enum class Kind : std::uint8_t {
    address,     ///< from a client with this address, as the writer saw it
    local,       ///< from a program on the writer's own host
    unreadable,  ///< it does not say so in a way that is known here
  };
  Kind kind = Kind::unreadable;
  IpAddress address;  ///< for Kind::address

  bool operator==(const ReceivedFrom&) const = default;
};

/// Reads the value of a Received field, folded or not, as Postfix, Exim, Sendmail, Exchange,
/// OpenSMTPD, qmail, Haraka, Gmail and Postern write it. RFC 5321 section 4.4 puts the client's own
/// words (HELO) beside what the server knows (the TCP-info), and servers differ in the order. Only
/// the address that the server itself wrote counts: where HELO, or a name that the client's DNS
/// chose, could pass for it, the field is unreadable. At most received_bytes_max bytes are looked
/// at.
ReceivedFrom parse_received_from(std::string_view value);

inline constexpr std::size_t received_bytes_max = 4096;

/// Looks for the nearest host that is not ours to trust: walks down a message's Received fields,
/// from the top, past every host that is trusted, whose own field is then to be believed. What
/// stands below the first untrusted host is that host's text and is never looked at.
class HopWalk {
 public:
  enum class State : std::uint8_t {
    walking,     ///< every field so far was written by, and for, a trusted host
    found,       ///< hop() is not trusted
    unreadable,  ///< a trusted host's field does not say from whom it got the message
  };

  /// `trusted` says of an address whether it is one of ours; it outlives the walk.
  explicit HopWalk(std::function<bool(const IpAddress&)> trusted) : trusted_(std::move(trusted)) {}

  /// The next Received field's value. Nothing happens once the walk has ended.
  void feed(std::string_view value);
  [[nodiscard]] State state() const { return state_; }
  /// When found.
  [[nodiscard]] const IpAddress& hop() const { return hop_; }

 private:
  std::function<bool(const IpAddress&)> trusted_;
  State state_ = State::walking;
  IpAddress hop_;
};

}  // namespace postern::mail
