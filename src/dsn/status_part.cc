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

// RFC 5321 section 4.1.3: an address stands in brackets where a domain is expected.
std::string mta_name(std::string_view name) {
  const auto address = IpAddress::parse(name);
  if (!address) return one_line(name, host_bytes_max);
  return fmt::format("[{}{}]", address->is_v4() ? "" : "IPv6:", address->text());
}

std::string received_from(const Report& report) {
  // RFC 3464 section 2.2.4: the name of HELO, and the network address as a comment.
  const std::string address = one_line(report.received_address, 64);
  const std::string name =
      report.received_from.empty() ? mta_name(address) : mta_name(report.received_from);
  // A parenthesis of the peer's would open a comment of its own.
  if (report.received_from.empty() || address.empty() ||
      name.find_first_of("()\\") != std::string::npos)
    return "dns; " + name;
  return fmt::format("dns; {} ({})", name, address);
}

std::string diagnostic_code(const RecipientResult& result, std::size_t bytes_max) {
  // RFC 3464 section 2.3.6: "smtp" only for what an SMTP server said; our own words are X-Postern.
  if (!result.remote_reply.empty()) return "smtp; " + one_line(result.remote_reply, bytes_max);
  if (!result.explanation.empty()) return "X-Postern; " + one_line(result.explanation, bytes_max);
  return {};
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
  if (!result.remote_name.empty())
    fields += folded_field("Remote-MTA", "dns; " + mta_name(result.remote_name));
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
  fields += folded_field("Reporting-MTA", "dns; " + mta_name(report.reporting_mta));
  if (!report.received_from.empty() || !report.received_address.empty())
    fields += folded_field("Received-From-MTA", received_from(report));
  fields += folded_field("Arrival-Date", format_rfc5322(report.arrived));
  if (!report.queue_id.empty())
    fields += folded_field("X-Postern-Queue-ID", one_line(report.queue_id, 100));
  const std::size_t diagnostic_max = std::clamp<std::size_t>(
      limits.diagnostic_bytes_max / report.recipients.size(), diagnostic_bytes_min, field_text_max);
  for (const RecipientResult& result : report.recipients) {
    fields += "\r\n";
    fields += recipient_fields(result, form, diagnostic_max);
  }
  return fields;
}

}  // namespace postern::dsn
