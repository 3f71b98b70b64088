#include "dsn/original.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "dsn/text.h"
#include "mail/header_reader.h"

namespace postern::dsn {
namespace {

constexpr std::size_t message_id_bytes_max = 250;
constexpr std::size_t references_max = 20;

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

bool wants_whole(const Report& report, const ComposeLimits& limits) {
  const bool any_failed = std::ranges::any_of(
      report.recipients, [](const auto& r) { return r.action == Action::failed; });
  // RFC 3461 section 4.3: RET applies to reports of failure; all others return headers only.
  return report.dsn_return == mail::DsnReturn::full && any_failed && report.content_complete &&
         report.content.size() <= limits.content_bytes_max;
}

// RFC 5322 section 3.6.4: msg-id at the front of `text`, in what everybody writes today: no
// comments inside, no spaces.
std::optional<std::string_view> message_id_at(std::string_view text) {
  if (!text.starts_with('<')) return std::nullopt;
  const auto end = text.substr(0, message_id_bytes_max).find('>');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text.substr(1, end - 1);
  const auto at = inside.find('@');
  const bool plain = std::ranges::all_of(
      inside, [](char c) { return c > 0x20 && c < 0x7f && c != '<' && c != '(' && c != ')'; });
  if (!plain || at == 0 || at == std::string_view::npos || at + 1 == inside.size())
    return std::nullopt;
  return text.substr(0, end + 1);
}

// All of `text` as ids; empty when anything else stands there.
std::vector<std::string> message_ids(std::string_view text) {
  std::vector<std::string> ids;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const auto id = message_id_at(text);
    if (!id) return {};
    ids.emplace_back(*id);
    text.remove_prefix(id->size());
  }
  return ids;
}

}  // namespace

Returned returned_part(const Report& report, const ComposeLimits& limits, bool report_smtputf8) {
  if (wants_whole(report, limits)) {
    const Shape shape = shape_of(report.content);
    if (!shape.long_lines && !shape.controls) {
      Returned whole{.content = report.content,
                     .type = "message/rfc822",
                     .encoding = shape.eight_bit ? "8bit" : "7bit",
                     .description = "Undelivered message"};
      if (!report.smtputf8 || !shape.eight_bit) return whole;
      // RFC 6533 section 5: a message with an internationalised header comes back as
      // message/global, which, other than message/rfc822, may be encoded (RFC 6532 section 3.7).
      whole.type = "message/global";
      if (report_smtputf8) return whole;
      whole.encoded = quoted_printable(report.content);
      whole.encoding = "quoted-printable";
      return whole;
    }
  }
  Returned header{.content = header_of(report.content, limits.header_bytes_max),
                  .type = "text/rfc822-headers",
                  .encoding = "7bit",
                  .description = "Undelivered message's header"};
  const Shape shape = shape_of(header.content);
  if (report.smtputf8 && shape.eight_bit) {
    header.type = "message/global-headers";
    header.encoding = "8bit";
    if (report_smtputf8 && !shape.long_lines && !shape.controls) return header;
  }
  if (shape.eight_bit || shape.long_lines || shape.controls) {
    header.encoded = quoted_printable(header.content);
    header.encoding = "quoted-printable";
  }
  return header;
}

Thread thread_of(std::string_view content) {
  Thread thread;
  std::vector<std::string> ids;
  mail::HeaderReader header(content);
  while (const auto field = header.next()) {
    if (equal_ignoring_case(field->name, "Message-ID"))
      ids = message_ids(mail::unfold(field->value, field->value.size()));
    else if (equal_ignoring_case(field->name, "References"))
      thread.references = message_ids(mail::unfold(field->value, field->value.size()));
  }
  if (ids.size() != 1) return {};
  thread.message_id = ids.front();
  // The first names the thread, the last ones its end: the rest may go.
  if (thread.references.size() >= references_max)
    thread.references.erase(
        thread.references.begin() + 1,
        thread.references.end() - static_cast<std::ptrdiff_t>(references_max - 2));
  thread.references.push_back(thread.message_id);
  return thread;
}

}  // namespace postern::dsn
