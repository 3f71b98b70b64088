#pragma once

#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/time.h"
#include "mail/envelope.h"
#include "policy/unknown_ip.h"

namespace postern::session {

/// What the trace of one accepted message is made of; references that live during the call.
struct TraceFacts {
  std::string_view hostname;
  const IpAddress& client;
  std::string_view helo;
  std::string_view protocol;
  std::string_view queue_id;
  const mail::Envelope& envelope;
  const policy::UnknownIpVerdict* verdict = nullptr;  ///< when the check has come to one
  WallTime when;
};

/// The fields that go before the content: Received (RFC 5321 section 4.4) and, when the address was
/// checked, Authentication-Results with iprev (RFC 8601 section 2.7.3). Never Return-Path, which
/// is the final delivery's.
std::string compose_trace(const TraceFacts& facts);

/// Authentication-Results with iprev of the address that the verdict is about; nothing when it was
/// not checked.
std::string compose_results(std::string_view hostname, const policy::UnknownIpVerdict& verdict);

/// The name that DNS confirmed for the client, or empty.
std::string confirmed_name(const policy::UnknownIpVerdict* verdict);

}  // namespace postern::session
