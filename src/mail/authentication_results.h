#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

/// RFC 8601 section 2.2: one resinfo, "method=result (comment) ptype.property=value".
struct AuthenticationResult {
  struct Property {
    std::string ptype;
    std::string name;
    std::string value;
  };
  std::string method;
  std::string result;
  std::string comment;  ///< any text; empty for none
  std::vector<Property> properties;
};

/// RFC 8601 section 2.2: the field with its CRLF, one result a line; "none" without results. Values
/// that are no tokens are quoted; what is not printable ASCII becomes "?".
std::string compose_authentication_results(std::string_view authserv_id,
                                           std::span<const AuthenticationResult> results);

/// Whose name an Authentication-Results field bears.
enum class AuthservClaim : std::uint8_t {
  other,       ///< somebody else's
  ours,        ///< the given one
  unreadable,  ///< not to be told; a lenient reader behind us might take it for ours
};

/// RFC 8601 section 5: finds fields that claim our authserv-id, which a border host must remove.
/// `value` is the field's value, folded as it came; comments, quoting and version are understood,
/// letter case and a trailing dot make no difference.
AuthservClaim authserv_claim(std::string_view value, std::string_view authserv_id);

}  // namespace postern::mail
