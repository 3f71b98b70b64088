#include "dsn/compose.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/text.h"
#include "dsn/human_part.h"
#include "dsn/original.h"
#include "dsn/status_part.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

constexpr std::string_view between_languages =
    "\r\n------------------------------------------------------------\r\n\r\n";

std::span<const Wording> wordings_of(const Report& report) {
  return report.wordings.empty() ? std::span(Wording::shipped("en"), 1) : report.wordings;
}

// A part of the report before it has a boundary.
struct Part {
  std::string header;  // its own fields
  std::string encoded;
};

Part part_for_people(const Report& report, const ComposeLimits& limits) {
  std::string text;
  std::vector<std::string_view> languages;
  for (const Wording& wording : wordings_of(report)) {
    if (!text.empty()) text += between_languages;
    text += human_part(report, wording, limits);
    languages.push_back(wording.language());
  }
  Part part;
  part.header = folded_field("Content-Description", "Notification");
  // RFC 3282 section 2: the languages of the readers it is meant for.
  part.header += folded_field("Content-Language", fmt::format("{}", fmt::join(languages, ", ")));
  if (is_ascii(text)) {
    part.header += folded_field("Content-Type", "text/plain; charset=us-ascii");
    part.encoded = std::move(text);
    return part;
  }
  // RFC 2045 section 6.7: encoded, so that a server without 8BITMIME takes the report as well.
  part.header += folded_field("Content-Type", "text/plain; charset=utf-8");
  part.header += folded_field("Content-Transfer-Encoding", "quoted-printable");
  part.encoded = quoted_printable(text);
  return part;
}

Part part_for_programs(const Report& report, const ComposeLimits& limits, bool smtputf8) {
  Part part;
  part.encoded = status_part(report, smtputf8 ? AddressForm::unitext : AddressForm::xtext, limits);
  part.header = folded_field("Content-Description", "Delivery report");
  if (is_ascii(part.encoded)) {
    part.header += folded_field("Content-Type", "message/delivery-status");
    return part;
  }
  // RFC 6533 section 4: with addresses in UTF-8 the fields have a type of their own.
  part.header += folded_field("Content-Type", "message/global-delivery-status");
  part.header += folded_field("Content-Transfer-Encoding", "8bit");
  return part;
}

Part part_of_original(const Returned& returned) {
  Part part;
  part.header = folded_field("Content-Description", returned.description);
  part.header += folded_field("Content-Type", returned.type);
  part.header += folded_field("Content-Transfer-Encoding", returned.encoding);
  part.encoded = returned.bytes();
  return part;
}

// RFC 2046 section 5.1.1: the boundary must not occur in any part, or the original could end its
// part and write another one.
std::string boundary_for(std::string_view unique, std::span<const Part> parts) {
  for (unsigned n = 0;; ++n) {
    std::string boundary = fmt::format("=_{}_{}", one_line(unique, 40), n);
    if (std::ranges::none_of(parts,
                             [&](const Part& part) { return part.encoded.contains(boundary); }))
      return boundary;
  }
}

// What may stand in our own header fields: "To" must stay one address whatever the reverse path is.
std::string header_address(std::string_view address) {
  return "<" + one_line(address, 320, Charset::utf8) + ">";
}

std::string thread_fields(const Report& report) {
  // RFC 3834 section 3.1.5: an answer names the message that it is about, where that has a name;
  // mail programs then show it beside the message.
  const Thread thread = thread_of(report.content);
  if (thread.message_id.empty()) return {};
  return folded_field("In-Reply-To", thread.message_id) +
         folded_field("References", fmt::format("{}", fmt::join(thread.references, " ")));
}

std::string header_of_report(const Report& report, std::string_view boundary, bool eight_bit) {
  const std::string host = one_line(report.reporting_mta);
  std::string header;
  header += folded_field("Date", format_rfc5322(report.now));
  header += folded_field("From", fmt::format("Mail Delivery System <MAILER-DAEMON@{}>", host));
  header += folded_field("To", header_address(report.to));
  header += folded_field("Subject", encoded_words(subject(report, wordings_of(report).front())));
  header += folded_field("Message-ID", fmt::format("<{}@{}>", one_line(report.unique, 40), host));
  header += thread_fields(report);
  // RFC 3834 section 5: so that no vacation program answers us.
  header += folded_field("Auto-Submitted", "auto-replied");
  header += folded_field("MIME-Version", "1.0");
  // RFC 6522 section 3: multipart/report of type delivery-status, with a part for people, one for
  // programs, and the original.
  header += fmt::format(
      "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{}\"\r\n",
      boundary);
  header += folded_field("Content-Transfer-Encoding", eight_bit ? "8bit" : "7bit");
  return header;
}

}  // namespace

ComposedReport compose(const Report& report, const ComposeLimits& limits) {
  CHECK(!report.to.empty());
  CHECK(!report.recipients.empty());
  ComposedReport composed;
  // RFC 6531 section 3.4: needed for an address that is not ASCII, in the envelope and in "To".
  composed.smtputf8 = !is_ascii(report.to);
  const Returned returned = returned_part(report, limits, composed.smtputf8);
  const Part parts[] = {part_for_people(report, limits),
                        part_for_programs(report, limits, composed.smtputf8),
                        part_of_original(returned)};
  const bool eight_bit =
      std::ranges::any_of(parts, [](const Part& part) { return !is_ascii(part.encoded); });
  if (eight_bit || composed.smtputf8) composed.body = mail::BodyType::eight_bit_mime;

  const std::string boundary = boundary_for(report.unique, parts);
  std::string& out = composed.content;
  out = header_of_report(report, boundary, eight_bit);
  out += "\r\nThis is a report in MIME format.\r\n";
  for (const Part& part : parts)
    out += fmt::format("\r\n--{}\r\n{}\r\n{}", boundary, part.header, part.encoded);
  out += fmt::format("\r\n--{}--\r\n", boundary);
  return composed;
}

}  // namespace postern::dsn
