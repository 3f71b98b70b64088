#pragma once

#include <string>

#include "base/ip.h"
#include "base/time.h"

namespace postern::mail {

/// What a trace header field tells of one hop.
struct Received {
  std::string helo;
  IpAddress client;
  std::string client_name;  ///< confirmed by DNS; empty when it has none
  std::string by;           ///< our host name
  std::string protocol;     ///< RFC 3848: "SMTP", "ESMTP", "ESMTPS"
  std::string id;
  std::string recipient;  ///< only for a lone recipient: others must not learn of each other
  WallTime when;
};

/// RFC 5321 section 4.4: the field "Received: from ... by ... with ... id ... for ...; date",
/// folded, with its CRLF. Lines stay within 78 characters where the names allow it (RFC 5322
/// section 2.1.1) and always within 998. A HELO that is no domain or address literal is left out:
/// its text could otherwise close a comment and forge the rest of the field.
std::string compose_received(const Received& received);

/// RFC 3848: the word for `with`. `extended`: the session began with EHLO.
std::string protocol_word(bool extended, bool encrypted);

}  // namespace postern::mail
