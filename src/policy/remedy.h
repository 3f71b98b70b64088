#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/iprev.h"
#include "policy/unknown_ip.h"

namespace postern::policy {

/// What the sender's side has to do, so that the client passes.
struct Remedy {
  /// Records to publish, in the form of a zone file (RFC 1035 section 5.1).
  std::vector<std::string> records;
  std::vector<std::string> advice;  ///< sentences: who publishes them, what else is to be looked at
};

/// For a client in this state; empty when it passes or was not looked at. `helo`: the name in its
/// EHLO, taken for the host's name when it is one. Pure.
Remedy remedy_for(UnknownIpState state, const auth::Iprev& iprev, std::string_view helo);

}  // namespace postern::policy
