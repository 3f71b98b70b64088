// An administrator's file holds any bytes. What is accepted can be filled in whatever the report,
// and the report can be read; what is refused is told within bounds.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dsn/compose.h"
#include "dsn/read_report.h"
#include "dsn/report_fixture.h"
#include "dsn/wording.h"

using namespace postern;

namespace {

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

void check_problems(const std::vector<dsn::WordingProblem>& problems, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  CHECK(!problems.empty() && problems.size() <= dsn::wording_problems_max);
  CHECK(std::ranges::is_sorted(problems, {}, &dsn::WordingProblem::line));
  for (const dsn::WordingProblem& problem : problems) {
    CHECK(problem.line <= lines);
    CHECK(!problem.what.empty() && !problem.advice.empty());
    CHECK(std::ranges::all_of(problem.what + problem.advice, ascii_printable));
  }
}

/// Reports of each kind, so that every section is filled in.
void check_reports(const dsn::Wording& wording) {
  dsn::Report report = dsn::basic();
  report.wordings = std::span(&wording, 1);
  auto expanded = dsn::relayed();
  expanded.action = dsn::Action::expanded;
  auto delivered = dsn::relayed();
  delivered.action = dsn::Action::delivered;
  const std::vector<std::vector<dsn::RecipientResult>> kinds = {
      {dsn::refused(), dsn::expired()}, {dsn::delayed()}, {delivered, expanded, dsn::relayed()}};
  for (const auto& recipients : kinds) {
    report.recipients = recipients;
    const std::string message = dsn::compose(report).content;
    const auto read = dsn::read_report(message);
    CHECK(read && read->recipients.size() == recipients.size());
    for (std::size_t at = 0; at < message.size();) {
      const auto end = message.find("\r\n", at);
      CHECK(end != std::string::npos && end - at <= 998);
      at = end + 2;
    }
  }
  report.audience = dsn::Audience::postmaster;
  CHECK(dsn::read_report(dsn::compose(report).content));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto wording = dsn::Wording::parse(text, "en", *dsn::Wording::shipped("en"));
  if (text.find('\r') == std::string_view::npos && size < dsn::wording_bytes_max / 2) {
    const auto again = dsn::Wording::parse(with_crlf(text), "en", *dsn::Wording::shipped("en"));
    CHECK(again.has_value() == wording.has_value() && (!wording || *again == *wording));
  }
  if (!wording) {
    check_problems(wording.error(), text);
    return 0;
  }
  CHECK(size <= dsn::wording_bytes_max);
  CHECK(wording->lacking(*dsn::Wording::shipped("en")).empty());
  check_reports(*wording);
  return 0;
}
