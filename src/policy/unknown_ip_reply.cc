#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "policy/unknown_ip.h"

namespace postern::policy {
namespace {

/// RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets with its CRLF.
constexpr std::size_t reply_bytes_max = 510;
/// What of a name from the DNS is quoted; a longer one is cut.
constexpr std::size_t name_shown_max = 200;
constexpr std::size_t addresses_shown_max = 3;

/// Names from the DNS come with odd bytes as \DDD, and are shown so: as dig shows them.
std::string shown_name(const std::string& name) {
  if (name.empty()) return ".";
  if (!std::ranges::all_of(name, ascii_printable)) return printable(name, name_shown_max);
  return name.size() <= name_shown_max ? name : name.substr(0, name_shown_max) + "...";
}

std::string shown_addresses(const auth::IprevName& name) {
  std::string text;
  const std::size_t shown = std::min(name.addresses.size(), addresses_shown_max);
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + name.addresses[i].text();
  const std::size_t more = name.addresses.size() - shown + name.addresses_left_out;
  if (more > 0) text += fmt::format(" and {} more", more);
  return text;
}

/// Code and enhanced status. RFC 3463 section 3.8 and RFC 7372 section 3.3: X.7.25 is "reverse DNS
/// validation failed"; its class follows the code's.
std::string_view code_text(Action action) {
  switch (action) {
    case Action::reply_450:
      return "450 4.7.25";
    case Action::reply_451:
      return "451 4.7.25";
    case Action::reply_550:
      return "550 5.7.25";
    case Action::accept:
    case Action::tag:
      break;
  }
  check_failed("an accepting action has no reply");
}

}  // namespace

const auth::IprevName* claimed_name(UnknownIpState state, const auth::Iprev& iprev) {
  const auto speaks_of = [&](const auth::IprevName& name) {
    switch (state) {
      case UnknownIpState::pass:
        return name.name == iprev.confirmed_name;
      case UnknownIpState::no_forward:
        return name.usable;
      case UnknownIpState::mismatch:
        return !name.addresses.empty();
      case UnknownIpState::no_ptr:
      case UnknownIpState::bad_name:
      case UnknownIpState::temp_error:
      case UnknownIpState::skipped:
        break;
    }
    return true;
  };
  const auto found = std::ranges::find_if(iprev.names, speaks_of);
  return found == iprev.names.end() ? nullptr : &*found;
}

std::string cause_text(UnknownIpState state, const auth::Iprev& iprev) {
  if (state == UnknownIpState::no_ptr) return "no PTR record";
  const auth::IprevName* name = claimed_name(state, iprev);
  switch (state) {
    case UnknownIpState::bad_name:
      CHECK(name != nullptr);
      return fmt::format("PTR name is not a host name: \"{}\"", shown_name(name->name));
    case UnknownIpState::no_forward:
      CHECK(name != nullptr);
      return fmt::format("PTR {} has no address", shown_name(name->name));
    case UnknownIpState::mismatch:
      CHECK(name != nullptr);
      return fmt::format("PTR {} resolves to {}", shown_name(name->name), shown_addresses(*name));
    case UnknownIpState::no_ptr:
    case UnknownIpState::temp_error:
    case UnknownIpState::pass:
    case UnknownIpState::skipped:
      break;
  }
  return {};
}

std::string refusal_reply(UnknownIpState state, const auth::Iprev& iprev, Action action,
                          ReplyStyle style, std::string_view case_id) {
  const bool undetermined = state == UnknownIpState::temp_error;
  CHECK(!undetermined || action != Action::reply_550);
  const std::string client = iprev.address.text();
  if (state == UnknownIpState::pass) {
    // By an override: its name is known, and still not wanted. RFC 3463 section 3.8: X.7.1 is
    // "delivery not authorized, message refused".
    return fmt::format("{} Client host rejected: [{}] is not accepted here (case {})",
                       action == Action::reply_550   ? "550 5.7.1"
                       : action == Action::reply_451 ? "451 4.7.1"
                                                     : "450 4.7.1",
                       client, case_id);
  }
  if (style == ReplyStyle::postfix) {
    // Postfix has one sentence for all causes, and answers 450 when a lookup failed, whatever its
    // unknown_client_reject_code is.
    return fmt::format("{} Client host rejected: cannot find your hostname, [{}]",
                       code_text(undetermined ? Action::reply_450 : action), client);
  }
  std::string reply =
      undetermined
          ? fmt::format(
                "{} Client host not verified: DNS lookup for [{}] did not complete, try "
                "again later (case {})",
                code_text(action), client, case_id)
          : fmt::format("{} Client host rejected: cannot find your hostname, [{}]: {} (case {})",
                        code_text(action), client, cause_text(state, iprev), case_id);
  CHECK(reply.size() <= reply_bytes_max);
  return reply;
}

std::string greeting_refusal(std::string_view reply) {
  CHECK(reply.size() > 3);
  return (reply.front() == '5' ? "554" : "421") + std::string(reply.substr(3));
}

}  // namespace postern::policy
