#include "dsn/compose.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

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
  }
  CHECK(false);
}

std::string_view status_otherwise(Action action) {
  if (action == Action::failed) return "5.0.0";
  return action == Action::delayed ? "4.0.0" : "2.0.0";
}

// What may stand in our own header fields: "To" must stay one address whatever the reverse path is.
std::string header_address(std::string_view address) {
  return "<" + one_line(address, 320) + ">";
}

bool any_failed(const Report& report) {
  return std::ranges::any_of(report.recipients,
                             [](const auto& r) { return r.action == Action::failed; });
}

bool any_delayed(const Report& report) {
  return std::ranges::any_of(report.recipients,
                             [](const auto& r) { return r.action == Action::delayed; });
}

std::string_view subject(const Report& report) {
  if (any_failed(report)) return "Undelivered Mail Returned to Sender";
  if (any_delayed(report)) return "Delayed Mail (still being retried)";
  return "Successful Mail Delivery Report";
}

// --- part 1: for people

std::string opening(const Report& report) {
  std::string text =
      fmt::format("This is the mail system at host {}.\r\n\r\n", one_line(report.reporting_mta));
  if (any_failed(report))
    text +=
        "I'm sorry to have to inform you that your message could not be\r\n"
        "delivered to one or more recipients. They are listed below with the\r\n"
        "reason. The message has been removed from our queue for them: to try\r\n"
        "again, correct what the reason says and send it anew.\r\n";
  else if (any_delayed(report))
    text +=
        "THIS IS A WARNING ONLY. You do not need to send your message again.\r\n\r\n"
        "Your message could not be delivered yet. We keep trying.\r\n";
  else
    text +=
        "Your message was handed on as described below. You receive this report\r\n"
        "because you asked for one.\r\n";
  text += "\r\n" + wrapped(fmt::format("If you need help, write to {} and include this report.",
                                       one_line(report.postmaster.empty()
                                                    ? "postmaster@" + report.reporting_mta
                                                    : report.postmaster)),
                           "");
  return text + "\r\n";
}

std::string what_happened(const RecipientResult& result) {
  const std::string remote = one_line(result.remote_name);
  const std::string reply = one_line(result.remote_reply);
  const std::string why = one_line(result.explanation);
  switch (result.action) {
    case Action::delivered:
      return "was delivered to the mailbox's server.";
    case Action::relayed:
      return fmt::format(
          "was handed to {}, which does not send delivery reports: no further report will come.",
          remote.empty() ? "the next server" : remote);
    case Action::delayed:
    case Action::failed:
      break;
  }
  std::string text;
  if (result.lifetime_over)
    text = "We tried for as long as we keep mail, and gave up. The last attempt: ";
  if (!reply.empty())
    text += fmt::format("{} said: {}",
                        remote.empty() ? "the recipient's server" : "the server " + remote, reply);
  else
    text += why.empty() ? "no reason is known." : why;
  return text;
}

std::string advice(const RecipientResult& result) {
  if (result.action != Action::failed) return "";
  if (result.lifetime_over)
    return "The recipient's server may be down or unreachable: try again later, or reach the "
           "recipient another way.";
  const auto status = std::string_view(result.status);
  if (status.starts_with("5.1.")) return "Check the address for typing errors.";
  if (status == "5.2.2" || status == "5.2.3")
    return "The recipient's mailbox is full or the message is too large for it.";
  if (status == "5.3.4") return "Send a smaller message.";
  if (status.starts_with("5.7."))
    return "The recipient's server does not accept this message: ask its administrator.";
  return "";
}

std::string human_part(const Report& report) {
  std::string text = opening(report);
  for (const RecipientResult& result : report.recipients) {
    text += wrapped(fmt::format("{}", header_address(result.final_recipient)), "");
    text += wrapped(what_happened(result), "    ");
    text += wrapped(advice(result), "    ");
    text += "\r\n";
  }
  return text;
}

// --- part 2: for programs

std::string original_recipient(std::string_view given) {
  const auto semicolon = given.find(';');
  if (semicolon == std::string_view::npos) return typed_address(given);
  const std::string type = one_line(trim(given.substr(0, semicolon)), 40);
  if (type.empty()) return typed_address(given.substr(semicolon + 1));
  return fmt::format("{};{}", type, one_line(trim(given.substr(semicolon + 1))));
}

std::string recipient_fields(const RecipientResult& result) {
  std::string fields;
  // RFC 3464 section 2.3.1: what the sender wrote comes back exactly when it is known.
  if (!result.original_recipient.empty())
    fields += folded_field("Original-Recipient", original_recipient(result.original_recipient));
  fields += folded_field("Final-Recipient", typed_address(result.final_recipient));
  fields += folded_field("Action", action_name(result.action));
  fields += folded_field("Status", status_or(result.status, status_otherwise(result.action)));
  if (!result.remote_name.empty())
    fields += folded_field("Remote-MTA", "dns; " + one_line(result.remote_name));
  // RFC 3464 section 2.3.6: "smtp" only for what an SMTP server said; our own words are X-Postern.
  if (!result.remote_reply.empty())
    fields += folded_field("Diagnostic-Code", "smtp; " + one_line(result.remote_reply));
  else if (!result.explanation.empty())
    fields += folded_field("Diagnostic-Code", "X-Postern; " + one_line(result.explanation));
  if (result.last_attempt != WallTime{})
    fields += folded_field("Last-Attempt-Date", format_rfc5322(result.last_attempt));
  if (result.action == Action::delayed && result.will_retry_until != WallTime{})
    fields += folded_field("Will-Retry-Until", format_rfc5322(result.will_retry_until));
  return fields;
}

std::string status_part(const Report& report) {
  std::string fields = folded_field("Reporting-MTA", "dns; " + one_line(report.reporting_mta));
  // RFC 3464 section 2.2.1: the envelope id comes back as the sender gave it.
  if (!report.envelope_id.empty())
    fields += folded_field("Original-Envelope-Id", one_line(report.envelope_id));
  if (!report.queue_id.empty())
    fields += folded_field("X-Postern-Queue-ID", one_line(report.queue_id));
  if (!report.received_from.empty())
    fields += folded_field("Received-From-MTA", "dns; " + one_line(report.received_from));
  fields += folded_field("Arrival-Date", format_rfc5322(report.arrived));
  for (const RecipientResult& result : report.recipients) {
    fields += "\r\n";
    fields += recipient_fields(result);
  }
  return fields;
}

// --- part 3: the original

struct Returned {
  std::string_view content;
  std::string encoded;  // instead of `content` when not empty
  std::string_view type;
  std::string_view encoding;
  [[nodiscard]] std::string_view bytes() const { return encoded.empty() ? content : encoded; }
};

struct Shape {
  bool eight_bit = false;
  bool long_lines = false;
  bool controls = false;  // NUL and bare CR or LF: no 7bit or 8bit part may hold them
};
Shape shape_of(std::string_view text) {
  Shape shape;
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) shape.eight_bit = true;
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      line = 0;
      ++i;
      continue;
    }
    if (c == '\0' || c == '\r' || c == '\n') shape.controls = true;
    if (++line > line_bytes_max) shape.long_lines = true;
  }
  return shape;
}

// The header with its last line end, cut at a line when it is too long.
std::string_view header_of(std::string_view content, std::uint64_t bytes_max) {
  if (content.starts_with("\r\n")) return {};
  const auto blank = content.find("\r\n\r\n");
  auto header = blank == std::string_view::npos ? content : content.substr(0, blank + 2);
  if (header.size() > bytes_max) header = header.substr(0, bytes_max);
  const auto last = header.rfind("\r\n");
  return last == std::string_view::npos ? std::string_view{} : header.substr(0, last + 2);
}

Returned returned_part(const Report& report, const ComposeLimits& limits) {
  // RFC 3461 section 4.3: RET applies to reports of failure; all others return headers only.
  const bool whole = report.dsn_return == mail::DsnReturn::full && any_failed(report) &&
                     report.content_complete && report.content.size() <= limits.content_bytes_max;
  if (whole) {
    const Shape shape = shape_of(report.content);
    if (!shape.long_lines && !shape.controls)
      return {report.content, "", "message/rfc822", shape.eight_bit ? "8bit" : "7bit"};
  }
  const auto header = header_of(report.content, limits.header_bytes_max);
  const Shape shape = shape_of(header);
  if (shape.eight_bit || shape.long_lines || shape.controls)
    return {header, quoted_printable(header), "text/rfc822-headers", "quoted-printable"};
  return {header, "", "text/rfc822-headers", "7bit"};
}

// RFC 2046 section 5.1.1: the boundary must not occur in any part, or the original could end its
// part and write another one.
std::string boundary_for(std::string_view unique, std::initializer_list<std::string_view> parts) {
  for (unsigned n = 0;; ++n) {
    std::string boundary = fmt::format("=_{}_{}", one_line(unique, 40), n);
    if (std::ranges::none_of(parts, [&](auto part) { return part.contains(boundary); }))
      return boundary;
  }
}

std::string header_part(const Report& report, std::string_view boundary,
                        std::string_view encoding) {
  const std::string host = one_line(report.reporting_mta);
  std::string header;
  header += folded_field("Date", format_rfc5322(report.now));
  header += folded_field("From", fmt::format("Mail Delivery System <MAILER-DAEMON@{}>", host));
  header += folded_field("To", header_address(report.to));
  header += folded_field("Subject", subject(report));
  header += folded_field("Message-ID", fmt::format("<{}@{}>", one_line(report.unique, 40), host));
  // RFC 3834 section 5: so that no vacation program answers us.
  header += folded_field("Auto-Submitted", "auto-replied");
  header += folded_field("MIME-Version", "1.0");
  // RFC 6522 section 3: multipart/report of type delivery-status, with a part for people, one for
  // programs, and the original.
  header += fmt::format(
      "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{}\"\r\n",
      boundary);
  header += folded_field("Content-Transfer-Encoding", encoding);
  return header;
}

}  // namespace

ComposedReport compose(const Report& report, const ComposeLimits& limits) {
  CHECK(!report.to.empty());
  CHECK(!report.recipients.empty());
  const std::string human = human_part(report);
  const std::string status = status_part(report);
  const Returned returned = returned_part(report, limits);
  const bool eight_bit = returned.encoding == "8bit";
  const auto boundary = boundary_for(report.unique, {human, status, returned.bytes()});

  ComposedReport composed;
  composed.body = eight_bit ? mail::BodyType::eight_bit_mime : mail::BodyType::seven_bit;
  std::string& out = composed.content;
  out.reserve(human.size() + status.size() + returned.bytes().size() + 2048);
  out += header_part(report, boundary, eight_bit ? "8bit" : "7bit");
  out += "\r\nThis is a report in MIME format.\r\n";
  out += fmt::format(
      "\r\n--{}\r\nContent-Description: Notification\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
      boundary);
  out += human;
  out += fmt::format(
      "\r\n--{}\r\nContent-Description: Delivery report\r\n"
      "Content-Type: message/delivery-status\r\n\r\n",
      boundary);
  out += status;
  out += fmt::format(
      "\r\n--{}\r\nContent-Description: {}\r\n"
      "Content-Type: {}\r\nContent-Transfer-Encoding: {}\r\n\r\n",
      boundary,
      returned.type == "message/rfc822" ? "Undelivered message" : "Undelivered message's header",
      returned.type, returned.encoding);
  out += returned.bytes();
  out += fmt::format("\r\n--{}--\r\n", boundary);
  return composed;
}

}  // namespace postern::dsn
