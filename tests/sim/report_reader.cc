#include "report_reader.h"

#include <map>
#include <string_view>

#include "base/text.h"

namespace postern::sim {
namespace {

/// Fields of one group, names in lower case, folded lines joined.
using Fields = std::map<std::string, std::string>;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

/// Up to the next empty line or boundary.
Fields take_group(std::string_view& text) {
  Fields fields;
  std::string name;
  while (!text.empty()) {
    if (text.starts_with("--")) break;
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      fields[name] += " " + std::string(trim(line));
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    name = to_lower(line.substr(0, colon));
    fields[name] = std::string(trim(line.substr(colon + 1)));
  }
  return fields;
}

/// "rfc822; user@example.com" -> the address.
std::string address_in(const std::string& typed) {
  return std::string(trim(std::string_view(typed).substr(typed.find(';') + 1)));
}

ReportedRecipient recipient_of(const Fields& fields) {
  const auto field = [&fields](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  };
  ReportedRecipient out;
  out.final_recipient = address_in(field("final-recipient"));
  out.original_recipient = address_in(field("original-recipient"));
  out.action = to_lower(field("action"));
  out.status = field("status");
  out.says_until_when = fields.contains("will-retry-until");
  return out;
}

}  // namespace

std::string token_in(const std::string& content) {
  constexpr std::string_view mark = "X-Token: ";
  const std::size_t at = content.find(mark);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + mark.size();
  return content.substr(begin, content.find_first_of("\r\n", begin) - begin);
}

Report read_report(const std::string& content) {
  Report report;
  report.token = token_in(content);
  report.returns_body = content.contains("line 0 of ");
  constexpr std::string_view mark = "Content-Type: message/delivery-status";
  std::string_view text = content;
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return report;
  text.remove_prefix(at);
  take_group(text);  // the part's own header
  const Fields message = take_group(text);
  if (const auto id = message.find("original-envelope-id"); id != message.end())
    report.envelope_id = id->second;
  while (!text.empty() && !text.starts_with("--")) {
    const Fields fields = take_group(text);
    if (!fields.empty()) report.recipients.push_back(recipient_of(fields));
  }
  return report;
}

}  // namespace postern::sim
