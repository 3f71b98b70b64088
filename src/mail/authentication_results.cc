#include "mail/authentication_results.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "mail/address.h"

namespace postern::mail {
namespace {

/// RFC 2045 section 5.1: token.
bool is_token_char(char c) {
  return c > 0x20 && c < 0x7f && !std::string_view("()<>@,;:\\\"/[]?=").contains(c);
}

std::string safe(std::string_view text) {
  std::string out;
  for (const char c : text) out += ascii_printable(c) ? c : '?';
  return out;
}

std::string quoted_with(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : safe(text)) {
    if (c == '\\' || special.contains(c)) out += '\\';
    out += c;
  }
  return out;
}

/// RFC 8601 section 2.2: pvalue, a token or a quoted string.
std::string format_value(std::string_view value) {
  // "@" may stand in a pvalue that is an address.
  const bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
    return is_token_char(c) || c == '@';
  });
  return plain ? std::string(value) : "\"" + quoted_with(value, "\"") + "\"";
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// RFC 5322 section 3.2.2: drops comments (nested) and folding blanks from the front. False when a
/// comment does not end. Iterative: nesting depth is the sender's choice.
bool skip_cfws(std::string_view& text) {
  std::size_t depth = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (depth > 0 && c == '\\' && text.size() > 1)
      text.remove_prefix(1);
    else if (c == '(')
      ++depth;
    else if (depth > 0 && c == ')')
      --depth;
    else if (depth == 0 && !is_space(c))
      break;
    text.remove_prefix(1);
  }
  return depth == 0;
}

/// RFC 8601 section 2.2: authserv-id = value, a token or quoted string. Taken off the front.
std::optional<std::string> take_authserv_id(std::string_view& text) {
  std::string id;
  if (!text.starts_with('"')) {
    while (!text.empty() && is_token_char(text.front())) {
      id += text.front();
      text.remove_prefix(1);
    }
    return id.empty() ? std::nullopt : std::optional(id);
  }
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    if (text.front() != '\r' && text.front() != '\n') id += text.front();
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  text.remove_prefix(1);
  return std::string(trim(id));
}

}  // namespace

std::string compose_authentication_results(std::string_view authserv_id,
                                           std::span<const AuthenticationResult> results) {
  std::string out = "Authentication-Results: " + safe(authserv_id) + ";";
  if (results.empty()) return out + " none\r\n";
  bool first = true;
  for (const AuthenticationResult& result : results) {
    if (!first) out += ";";
    first = false;
    out += "\r\n\t" + safe(result.method) + "=" + safe(result.result);
    if (!result.comment.empty()) out += " (" + quoted_with(result.comment, "()") + ")";
    for (const auto& property : result.properties)
      out += "\r\n\t" + safe(property.ptype) + "." + safe(property.name) + "=" +
             format_value(property.value);
  }
  return out + "\r\n";
}

AuthservClaim authserv_claim(std::string_view value, std::string_view authserv_id) {
  if (!skip_cfws(value)) return AuthservClaim::unreadable;
  const auto id = take_authserv_id(value);
  if (!id) return AuthservClaim::unreadable;
  if (normalize_domain(*id) == normalize_domain(authserv_id)) return AuthservClaim::ours;
  const std::size_t before = value.size();
  if (!skip_cfws(value)) return AuthservClaim::unreadable;
  if (value.empty() || value.front() == ';') return AuthservClaim::other;
  // RFC 8601 section 2.2: authres-version = 1*DIGIT, set off by CFWS.
  if (value.size() == before) return AuthservClaim::unreadable;
  while (!value.empty() && ascii_digit(value.front())) value.remove_prefix(1);
  if (!skip_cfws(value)) return AuthservClaim::unreadable;
  return value.empty() || value.front() == ';' ? AuthservClaim::other : AuthservClaim::unreadable;
}

}  // namespace postern::mail
