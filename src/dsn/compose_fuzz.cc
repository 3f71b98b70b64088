// Whatever the facts say, most of them in a peer's words, the report is one that its reader
// understands, and says what they say.
#include <algorithm>
#include <cstdint>
#include <fuzzer/FuzzedDataProvider.h>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dsn/compose.h"
#include "dsn/read_report.h"
#include "dsn/status_part.h"
#include "dsn/text.h"
#include "mail/header_reader.h"

using namespace postern;

namespace {

constexpr std::size_t text_length_max = 1500;

/// Mostly short, so that the bytes suffice for many facts; at times the same over and over.
std::string some_text(FuzzedDataProvider& data, std::size_t length_max = text_length_max) {
  constexpr std::size_t lengths[] = {0, 1, 4, 12, 30, 80, 300};
  constexpr std::size_t repeats[] = {1, 1, 1, 2, 40, 400};
  const std::string piece = data.ConsumeBytesAsString(data.PickValueInArray(lengths));
  const std::size_t times = data.PickValueInArray(repeats);
  std::string text;
  for (std::size_t i = 0; i < times && text.size() < length_max; ++i) text += piece;
  return text.substr(0, length_max);
}

/// Nearly what would stand there, or anything.
std::string some_text_like(FuzzedDataProvider& data, std::string_view usual,
                           std::size_t length_max = text_length_max) {
  switch (data.ConsumeIntegralInRange(0, 2)) {
    case 0:
      return std::string(usual);
    case 1:
      return (std::string(usual) + some_text(data, length_max)).substr(0, length_max);
    default:
      return some_text(data, length_max);
  }
}

WallTime some_time(FuzzedDataProvider& data) {
  // Nanoseconds in 64 bits end in the year 2262.
  return WallTime{seconds{data.ConsumeIntegralInRange<std::int64_t>(0, 9'000'000'000)}};
}

dsn::RecipientResult some_result(FuzzedDataProvider& data) {
  dsn::RecipientResult result;
  result.final_recipient = some_text_like(data, "nobody@example.com", 400);
  result.original_recipient = some_text_like(data, "rfc822;no body@example.com", 600);
  result.action = static_cast<dsn::Action>(data.ConsumeIntegralInRange(0, 4));
  result.status = some_text_like(data, "5.1.1", 20);
  result.remote_name = some_text_like(data, "mx.example.com", 300);
  result.remote_reply = some_text_like(data, "550 5.1.1 <nobody@example.com>: no such user");
  result.explanation = some_text(data);
  result.last_attempt = some_time(data);
  result.will_retry_until = some_time(data);
  result.lifetime_over = data.ConsumeBool();
  return result;
}

/// CRLF line ends as in the queue; what follows from the bytes may be cut anywhere.
std::string some_content(FuzzedDataProvider& data) {
  std::string content;
  const std::string text =
      some_text_like(data, "Message-ID: <1@example.org>\nSubject: x\n\n", 8000);
  for (const char c : text) {
    if (c == '\r') continue;
    if (c == '\n') content += '\r';
    content += c;
  }
  return content;
}

void check_lines(const dsn::ComposedReport& composed) {
  const std::string& text = composed.content;
  CHECK(text.ends_with("\r\n") && text.find('\0') == std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find("\r\n", at);
    CHECK(end - at <= dsn::line_bytes_max);
    const std::string_view line(text.data() + at, end - at);
    CHECK(line.find_first_of("\r\n") == std::string_view::npos);
    at = end + 2;
  }
  CHECK(composed.body != mail::BodyType::seven_bit || dsn::is_ascii(text));
}

void check_header(const dsn::ComposedReport& composed) {
  std::set<std::string> names;
  mail::HeaderReader reader(composed.content);
  while (const auto field = reader.next()) {
    CHECK(composed.smtputf8 || dsn::is_ascii(field->raw));
    CHECK(names.insert(to_lower(field->name)).second);
  }
  // No other name: nothing that a peer said begins a line.
  for (const std::string_view name :
       {"date", "from", "to", "subject", "message-id", "auto-submitted", "mime-version",
        "content-type", "content-transfer-encoding"})
    CHECK(names.erase(std::string(name)) == 1);
  names.erase("in-reply-to");
  names.erase("references");
  CHECK(names.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  dsn::Report report;
  report.reporting_mta = "gw.example.net";
  report.postmaster = some_text_like(data, "postmaster@example.net", 400);
  report.audience = data.ConsumeBool() ? dsn::Audience::sender : dsn::Audience::postmaster;
  report.to = some_text_like(data, "alice@example.org", 400);
  if (report.to.empty()) report.to = "alice@example.org";
  report.sender = some_text(data, 400);
  report.unique = "4F7KQ2";
  report.now = some_time(data);
  report.arrived = some_time(data);
  report.received_from = some_text_like(data, "mail.example.org", 600);
  report.received_address = some_text_like(data, "192.0.2.25", 100);
  report.envelope_id = some_text_like(data, "QQ314159", 200);
  report.queue_id = some_text(data, 100);
  report.dsn_return = static_cast<mail::DsnReturn>(data.ConsumeIntegralInRange(0, 2));
  report.smtputf8 = data.ConsumeBool();
  report.content_complete = data.ConsumeBool();
  const std::string content = some_content(data);
  report.content = content;
  if (!report.content_complete) report.content = report.content.substr(0, content.size() / 2);
  const std::vector<dsn::Wording> both = {*dsn::Wording::shipped("de"),
                                          *dsn::Wording::shipped("en")};
  report.wordings = std::span(both).first(data.ConsumeIntegralInRange<std::size_t>(0, 2));
  do {
    report.recipients.push_back(some_result(data));
  } while (data.remaining_bytes() > 0 && report.recipients.size() < 200);

  const dsn::ComposedReport composed = dsn::compose(report);
  CHECK(composed.smtputf8 == !dsn::is_ascii(report.to));
  check_lines(composed);
  check_header(composed);
  const auto read = dsn::read_report(composed.content);
  CHECK(read && !read->human.empty() && read->recipients.size() == report.recipients.size());
  CHECK(dsn::field_of(read->message, "reporting-mta") == "dns; gw.example.net");
  const bool told_envelope_id = std::ranges::any_of(
      read->message, [](const auto& field) { return field.first == "original-envelope-id"; });
  CHECK(told_envelope_id == !report.envelope_id.empty());
  for (std::size_t i = 0; i < read->recipients.size(); ++i) {
    const dsn::StatusFields& fields = read->recipients[i];
    CHECK(dsn::field_of(fields, "status") == dsn::told_status(report.recipients[i]));
    const bool delayed = report.recipients[i].action == dsn::Action::delayed;
    CHECK(delayed == (dsn::field_of(fields, "action") == "delayed"));
    CHECK(delayed || dsn::field_of(fields, "will-retry-until").empty());
  }
  return 0;
}
