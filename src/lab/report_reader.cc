#include "lab/report_reader.h"

#include "base/text.h"
#include "mail/header_reader.h"

namespace postern::lab {
namespace {

std::string_view body_of(std::string_view content) {
  mail::HeaderReader reader(content);
  while (reader.next()) {
  }
  return content.substr(reader.body_offset());
}

std::string boundary_of(std::string_view content) {
  const std::string type = mail::find_header(content, "Content-Type").value_or("");
  const auto at = to_lower(type).find("boundary=");
  if (at == std::string::npos) return {};
  std::string_view value = std::string_view(type).substr(at + 9);
  if (value.starts_with('"')) return std::string(value.substr(1, value.find('"', 1) - 1));
  return std::string(value.substr(0, value.find(';')));
}

// The parts of a multipart, each with its own header.
std::vector<std::string_view> parts_of(std::string_view content) {
  const std::string boundary = boundary_of(content);
  std::vector<std::string_view> parts;
  if (boundary.empty()) return parts;
  const std::string line = "--" + boundary;
  std::string_view body = body_of(content);
  auto at = body.find(line);
  while (at != std::string_view::npos) {
    body.remove_prefix(at + line.size());
    if (body.starts_with("--")) break;
    at = body.find("\r\n" + line);
    const auto begin = body.find("\r\n");
    if (begin == std::string_view::npos || at == std::string_view::npos) break;
    if (begin + 2 <= at) parts.push_back(body.substr(begin + 2, at - begin - 2));
    at += 2;
  }
  return parts;
}

std::string with_lf(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != '\r') out += c;
  return out;
}

bool is_type(std::string_view part, std::string_view type) {
  return starts_with_ignoring_case(mail::find_header(part, "Content-Type").value_or("text/plain"),
                                   type);
}

// "rfc822; bob@company.example" -> "bob@company.example".
std::string behind_type(const std::string& value) {
  const auto semicolon = value.find(';');
  return std::string(trim(semicolon == std::string::npos ? value : value.substr(semicolon + 1)));
}

// RFC 3464 section 2.1: the fields of the message first, then those of each recipient; here one.
void read_status(std::string_view part, ReadReport& report) {
  std::string_view rest = body_of(part);
  while (!rest.empty()) {
    if (const auto host = mail::find_header(rest, "Reporting-MTA"))
      report.reporter = behind_type(*host);
    if (const auto about = mail::find_header(rest, "Final-Recipient");
        about && report.about.empty())
      report.about = behind_type(*about);
    if (const auto action = mail::find_header(rest, "Action"))
      report.kind = *action == "failed" ? "failure" : *action == "delayed" ? "delay" : *action;
    const auto end = rest.find("\r\n\r\n");
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 4);
  }
}

// The host in "<unique@host>".
std::string host_of_message_id(std::string_view content) {
  const std::string id = mail::find_header(content, "Message-ID").value_or("");
  const auto at = id.find('@');
  return at == std::string::npos ? "" : id.substr(at + 1, id.find('>', at) - at - 1);
}

/// Text without blanks, and for each byte of it the line it is from: folding does not matter.
struct Squeezed {
  std::string bytes;
  std::vector<std::size_t> line_of;
};

Squeezed squeeze(const std::vector<std::string>& lines) {
  Squeezed squeezed;
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (const char c : lines[i]) {
      if (c == ' ' || c == '\t') continue;
      squeezed.bytes += c;
      squeezed.line_of.push_back(i);
    }
  return squeezed;
}

// "450 4.7.25 Client host rejected" -> "Client host rejected".
std::string_view words_of(std::string_view reply) {
  for (int i = 0; i < 2; ++i) {
    const auto space = reply.find(' ');
    if (reply.empty() || !ascii_digit(reply.front()) || space == std::string_view::npos) break;
    reply.remove_prefix(space + 1);
  }
  return reply;
}

}  // namespace

ReadReport read_report(std::string_view content) {
  ReadReport report;
  report.from = mail::find_header(content, "From").value_or("");
  report.subject = mail::find_header(content, "Subject").value_or("");
  report.reporter = host_of_message_id(content);
  report.kind = "failure";
  const auto parts = parts_of(content);
  for (const std::string_view part : parts) {
    if (report.text.empty() && is_type(part, "text/plain")) report.text = with_lf(body_of(part));
    if (is_type(part, "message/delivery-status") || is_type(part, "message/global-delivery-status"))
      read_status(part, report);
  }
  if (parts.empty()) report.text = with_lf(body_of(content));
  return report;
}

QuotedText mark_quotes(std::string_view text, std::string_view reply) {
  QuotedText quoted;
  while (!text.empty()) {
    const auto end = text.find('\n');
    quoted.lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  while (!quoted.lines.empty() && quoted.lines.back().empty()) quoted.lines.pop_back();
  quoted.marked.resize(quoted.lines.size());
  const Squeezed wanted = squeeze({std::string(words_of(reply))});
  if (wanted.bytes.empty()) return quoted;
  const Squeezed whole = squeeze(quoted.lines);
  for (auto at = whole.bytes.find(wanted.bytes); at != std::string::npos;
       at = whole.bytes.find(wanted.bytes, at + wanted.bytes.size())) {
    quoted.found = true;
    for (std::size_t i = 0; i < wanted.bytes.size(); ++i)
      quoted.marked[whole.line_of[at + i]] = true;
  }
  return quoted;
}

}  // namespace postern::lab
