#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "session/trace_filter.h"
#include "session/unknown_ip_field.h"

using namespace postern;

namespace {

std::string filtered(std::string_view content, std::size_t chunk) {
  session::TraceFilter filter("gw.example.com");
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += chunk)
    filter.feed(content.substr(at, chunk), out);
  filter.finish(out);
  return out;
}

/// A whole field in lines that RFC 5322 allows, and nothing that could be another.
void check_field(const std::string& field) {
  CHECK(field.starts_with(session::unknown_ip_field_name) && field.ends_with("\r\n"));
  std::string_view rest(field);
  bool is_first = true;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    CHECK(end != std::string_view::npos && end > 0 && end <= 998);
    CHECK(is_first || rest.front() == '\t');
    CHECK(std::ranges::all_of(rest.substr(is_first ? 0 : 1, end - (is_first ? 0 : 1)),
                              ascii_printable));
    rest.remove_prefix(end + 2);
    is_first = false;
  }
}

/// Of `text` behind a field, what is not its last lines.
std::string_view behind_folds(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t'))
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

}  // namespace

/// Any name from the DNS makes a proper field, and the filter takes out each such field whatever is
/// around it, in any chunks. What it gives never goes on with a field that stands before it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(bytes + 1), size - 1);
  auto iprev = std::make_shared<auth::Iprev>();
  auth::IprevName name;
  name.name = text.substr(0, 1000);
  iprev->names = {name};
  policy::UnknownIpVerdict verdict;
  verdict.state = policy::UnknownIpState::bad_name;
  verdict.iprev = std::move(iprev);
  const std::string field =
      session::compose_unknown_ip_field(verdict, {policy::Action::tag, "4F7KQ2"});
  check_field(field);
  CHECK(filtered(field, 1 + bytes[0] % 7).empty());
  const std::string whole = filtered(text, text.size() + 1);
  CHECK(filtered(text, 1 + bytes[0] % 7) == whole);
  CHECK(!whole.starts_with(' ') && !whole.starts_with('\t'));
  CHECK(filtered(whole, whole.size() + 1) == whole);
  const std::string_view rest = behind_folds(text);
  CHECK(filtered(field + text, text.size() + field.size()) == filtered(rest, rest.size() + 1));
  return 0;
}
