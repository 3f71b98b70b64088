#include "dsn/status_part.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "base/ip.h"
#include "base/text.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

constexpr std::size_t host_bytes_max = 255;
constexpr std::size_t diagnostic_bytes_min = 100;

std::string_view action_name(Action action) {
  switch (action) {
    case Action::failed:
      return "failed";
    case Action::delayed:
      return "delayed";
    case Action::delivered:
      return "delivered";
    case Action::relayed:
      return "relayed";
    case Action::expanded:
      return "expanded";
  }
  CHECK(false);
}

// A domain or an address literal, the two that RFC 5321 section 4.1.3 knows; empty for all else
// that a peer or the DNS may call a host. RFC 3464 section 2.1.2: type "dns" wants a domain name.
std::string mta_name(std::string_view name) {
  if (const auto address = IpAddress::parse(name))
    return fmt::format("[{}{}]", address->is_v4() ? "" : "IPv6:", address->text());
  const bool literal = name.starts_with('[') && name.ends_with(']');
  const std::string_view inner = literal ? name.substr(1, name.size() - 2) : name;
  const bool labels = !inner.empty() && !inner.starts_with('.') && !inner.ends_with('.') &&
                      inner.find("..") == std::string_view::npos && name.size() <= host_bytes_max;
  const bool good =
      labels && std::ranges::all_of(inner, [literal](char c) {
        return ascii_alnum(c) || c == '-' || c == '.' || c == '_' || (literal && c == ':');
      });
  return good ? std::string(name) : "";
}

// RFC 3464 section 2.2.4: the name of HELO, and the network address as a comment; the address alone
// when the name is none.
std::string received_from(const Report& report) {
  std::string address = mta_name(report.received_address);
  std::string name = mta_name(report.received_from);
  if (name.empty()) return address;
  return address.empty() ? name : fmt::format("{} ({})", name, report.received_address);
}

std::string diagnostic_code(const RecipientResult& result, std::size_t bytes_max) {
  // RFC 3464 section 2.3.6: "smtp" only for what an SMTP server said; our own words are X-Postern.
  const std::string reply = one_line(result.remote_reply, bytes_max);
  if (!reply.empty()) return "smtp; " + reply;
  const std::string own = one_line(result.explanation, bytes_max);
  return own.empty() ? "" : "X-Postern; " + own;
}

std::string recipient_fields(const RecipientResult& result, AddressForm form,
                             std::size_t diagnostic_max) {
  std::string fields;
  // RFC 3461 section 6.3: Original-Recipient stands there if and only if ORCPT was given.
  if (const auto original = typed_original(result.original_recipient, form))
    fields += folded_field("Original-Recipient", *original);
  fields += folded_field("Final-Recipient", typed_address(result.final_recipient, form));
  fields += folded_field("Action", action_name(result.action));
  fields += folded_field("Status", told_status(result));
  if (const std::string remote = mta_name(result.remote_name); !remote.empty())
    fields += folded_field("Remote-MTA", "dns; " + remote);
  const std::string diagnostic = diagnostic_code(result, diagnostic_max);
  if (!diagnostic.empty()) fields += folded_field("Diagnostic-Code", diagnostic);
  if (result.last_attempt != WallTime{})
    fields += folded_field("Last-Attempt-Date", format_rfc5322(result.last_attempt));
  // RFC 3464 section 2.3.9: only for a recipient that is still tried.
  if (result.action == Action::delayed && result.will_retry_until != WallTime{})
    fields += folded_field("Will-Retry-Until", format_rfc5322(result.will_retry_until));
  return fields;
}

}  // namespace

std::string told_status(const RecipientResult& result) {
  // RFC 3463 section 2: class 2 is success, 4 a failure that may pass, 5 one for good. A message
  // that failed for good may have met either.
  if (result.action == Action::failed) return status_or(result.status, "45", "5.0.0");
  if (result.action == Action::delayed) return status_or(result.status, "4", "4.0.0");
  return status_or(result.status, "2", "2.0.0");
}

std::string status_part(const Report& report, AddressForm form, const ComposeLimits& limits) {
  std::string fields;
  // RFC 3461 section 6.3: the envelope id comes back if and only if ENVID was given.
  if (!report.envelope_id.empty())
    fields += folded_field("Original-Envelope-Id", one_line(report.envelope_id));
  // Required, and our own: what the system calls itself stands there whatever it is.
  const std::string reporting = mta_name(report.reporting_mta);
  fields += folded_field(
      "Reporting-MTA",
      "dns; " + (reporting.empty() ? one_line(report.reporting_mta, host_bytes_max) : reporting));
  if (const std::string from = received_from(report); !from.empty())
    fields += folded_field("Received-From-MTA", "dns; " + from);
  fields += folded_field("Arrival-Date", format_rfc5322(report.arrived));
  if (const std::string id = one_line(report.queue_id, 100); !id.empty())
    fields += folded_field("X-Postern-Queue-ID", id);
  const std::size_t diagnostic_max = std::clamp<std::size_t>(
      limits.diagnostic_bytes_max / report.recipients.size(), diagnostic_bytes_min, field_text_max);
  for (const RecipientResult& result : report.recipients) {
    fields += "\r\n";
    fields += recipient_fields(result, form, diagnostic_max);
  }
  return fields;
}

}  // namespace postern::dsn
