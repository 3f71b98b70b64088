#include "session/unknown_ip_field.h"

#include <fmt/format.h>

#include "auth/iprev.h"
#include "base/text.h"

namespace postern::session {
namespace {

using policy::UnknownIpState;
using policy::UnknownIpVerdict;

/// A name in presentation form has at most 253 characters, and four times that when escaped.
constexpr std::size_t name_bytes_max = 200;

/// RFC 5322 section 3.2.4: a quoted string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text, name_bytes_max)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string raw_name(const UnknownIpVerdict& verdict) {
  const auth::IprevName* name = policy::claimed_name(verdict.state, *verdict.iprev);
  return name == nullptr ? "none" : quoted(name->name);
}

}  // namespace

void UnknownIpTag::take(policy::Action other, std::string_view other_case_id) {
  if (other < action) return;
  if (other > action || case_id.empty()) case_id = other_case_id;
  action = other;
}

bool bears_field(UnknownIpHeader header, const UnknownIpVerdict& verdict, const UnknownIpTag& tag) {
  switch (header) {
    case UnknownIpHeader::never:
      return false;
    case UnknownIpHeader::tagged:
      return verdict.state != UnknownIpState::skipped && tag.action != policy::Action::accept;
    case UnknownIpHeader::always:
      return true;
  }
  return false;
}

std::string compose_unknown_ip_field(const UnknownIpVerdict& verdict, const UnknownIpTag& tag) {
  std::string field =
      fmt::format("{}: state={}; action={}", unknown_ip_field_name,
                  policy::state_name(verdict.state), policy::action_name(tag.action));
  if (verdict.state == UnknownIpState::skipped)
    return field + fmt::format("; reason={}\r\n", quoted(verdict.skipped_because));
  const std::string& confirmed = verdict.iprev->confirmed_name;
  field += fmt::format("; mode={};\r\n\tconfirmed={};\r\n\traw={}; dnssec={}",
                       verdict.enforced ? "enforce" : "observe",
                       confirmed.empty() ? "none" : printable(confirmed, name_bytes_max),
                       raw_name(verdict), auth::dnssec_word(auth::iprev_dnssec(*verdict.iprev)));
  if (verdict.stale) field += "; stale=yes";
  if (!tag.case_id.empty()) field += fmt::format("; case={}", tag.case_id);
  return field + "\r\n";
}

}  // namespace postern::session
