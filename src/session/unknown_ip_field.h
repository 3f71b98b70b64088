#pragma once

#include <string>
#include <string_view>

#include "policy/unknown_ip.h"
#include "session/options.h"

namespace postern::session {

/// The name of the trace field that tells filters behind us what was found of the client. Whoever
/// sends one is not believed: see TraceFilter.
inline constexpr std::string_view unknown_ip_field_name = "X-Postern-Unknown-IP";

/// What was decided about a message's recipients: the strictest of the actions, and its case.
struct UnknownIpTag {
  policy::Action action = policy::Action::accept;
  std::string case_id;  ///< of what is observed only; else empty

  void take(policy::Action other, std::string_view other_case_id);
};

[[nodiscard]] bool bears_field(UnknownIpHeader header, const policy::UnknownIpVerdict& verdict,
                               const UnknownIpTag& tag);
/// The field with its CRLF, folded, at most 998 octets a line, printable ASCII whatever the DNS
/// said:
///
///     X-Postern-Unknown-IP: state=mismatch; action=tag; mode=enforce;
///             confirmed=none; raw="mail.example.com"; dnssec=insecure
///
/// `confirmed` is the name that the DNS confirmed, or none; `raw` the one that the client's network
/// only claims, or none. `reason` stands there for a client that was not checked, `stale=yes` for a
/// pass from before, `case` where mode is observe.
std::string compose_unknown_ip_field(const policy::UnknownIpVerdict& verdict,
                                     const UnknownIpTag& tag);

}  // namespace postern::session
