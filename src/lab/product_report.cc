#include "lab/product_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "mail/header_reader.h"

namespace postern::lab {
namespace {

using Replacement = std::pair<std::string_view, std::string>;

std::string replaced(std::string text, const std::vector<Replacement>& replacements) {
  for (const auto& [from, to] : replacements)
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  return text;
}

/// "mail.partner.example" -> "partner.example".
std::string domain_of_host(std::string_view host) {
  const auto dot = host.find('.');
  return std::string(dot == std::string_view::npos ? host : host.substr(dot + 1));
}

std::string subject_of(std::string_view content) {
  return mail::find_header(content, "Subject").value_or("");
}

bool quotes_reply(const upstream::Profile& profile, const ReportFacts& facts) {
  return profile.quotes_reply || facts.kind == ReportKind::refusal;
}

std::vector<Replacement> fillings(const upstream::Profile& profile, const ReportFacts& facts) {
  const auto hours = [](Duration d) {
    return fmt::to_string(std::chrono::duration_cast<std::chrono::hours>(d).count());
  };
  return {{"{recipient}", facts.recipient},
          {"{reply}", quotes_reply(profile, facts) ? facts.reply : ""},
          {"{host}", facts.host},
          {"{domain}", domain_of_host(facts.host)},
          {"{mx}", facts.mx},
          {"{mx_ip}", facts.mx_ip},
          {"{stage}", facts.stage},
          {"{sender}", facts.sender},
          {"{subject}", subject_of(facts.content)},
          {"{hours}", hours(facts.waited)},
          {"{more_hours}", hours(profile.give_up - facts.waited)},
          {"{days}", fmt::to_string(profile.give_up / std::chrono::hours(24))}};
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out;
}

// RFC 3463 section 3.5: 4.4.7 is "delivery time expired".
std::string status_of(const ReportFacts& facts) {
  switch (facts.kind) {
    case ReportKind::failure:
      return "5.4.7";
    case ReportKind::delay:
      return "4.4.7";
    case ReportKind::refusal:
      break;
  }
  // RFC 2034 section 4: the enhanced code stands behind the code, when there is one.
  const std::string told = facts.reply.substr(std::min<std::size_t>(4, facts.reply.size()));
  return told.starts_with("5.") ? told.substr(0, told.find(' ')) : "5.0.0";
}

const std::string& text_of(const upstream::Profile& profile, ReportKind kind) {
  if (kind == ReportKind::delay) return profile.delay_text;
  const bool at_once = kind == ReportKind::refusal && !profile.refused_text.empty();
  return at_once ? profile.refused_text : profile.report_text;
}

std::string status_part(const upstream::Profile& profile, const ReportFacts& facts) {
  const bool failure = facts.kind != ReportKind::delay;
  std::string part = fmt::format(
      "Reporting-MTA: dns; {}\r\n\r\nFinal-Recipient: rfc822; {}\r\nAction: {}\r\nStatus: {}\r\n",
      facts.host, facts.recipient, failure ? "failed" : "delayed", status_of(facts));
  if (quotes_reply(profile, facts) && !facts.mx.empty())
    part +=
        fmt::format("Remote-MTA: dns; {}\r\nDiagnostic-Code: smtp; {}\r\n", facts.mx, facts.reply);
  if (!failure)
    part += fmt::format("Will-Retry-Until: {}\r\n",
                        format_rfc5322(facts.now + profile.give_up - facts.waited));
  return part;
}

std::string header_of(std::string_view content) {
  mail::HeaderReader reader(content);
  std::string header;
  while (const auto field = reader.next()) header += field->raw;
  return header;
}

}  // namespace

std::string product_from(const upstream::Profile& profile, std::string_view host) {
  return replaced(profile.from, {{"{host}", std::string(host)},
                                 {"{domain}", domain_of_host(host)},
                                 {"@host", "@" + std::string(host)}});
}

std::string product_subject(const upstream::Profile& profile, const ReportFacts& facts) {
  if (facts.kind == ReportKind::delay)
    return replaced(profile.delay_subject, fillings(profile, facts));
  return replaced(profile.report_subject, {{"(subject)", subject_of(facts.content)},
                                           {"(reason)", facts.reply},
                                           {"(Delay|Failure)", "(Failure)"}});
}

std::string product_report(const upstream::Profile& profile, const ReportFacts& facts) {
  std::string report = fmt::format(
      "From: {}\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n"
      "Auto-Submitted: auto-replied\r\n",
      product_from(profile, facts.host), facts.sender, product_subject(profile, facts),
      format_rfc5322(facts.now), facts.unique, facts.host);
  const std::string text =
      with_crlf(replaced(text_of(profile, facts.kind), fillings(profile, facts)));
  if (!profile.mime) return report + "\r\n" + text + "\r\n" + header_of(facts.content);
  const std::string boundary = "=_" + facts.unique;
  report += fmt::format(
      "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
      " boundary=\"{}\"\r\n\r\n",
      boundary);
  for (const auto& [type, part] :
       {std::pair{"text/plain; charset=utf-8", text},
        std::pair{"message/delivery-status", status_part(profile, facts)},
        std::pair{"text/rfc822-headers", header_of(facts.content)}})
    report += fmt::format("--{}\r\nContent-Type: {}\r\n\r\n{}\r\n", boundary, type, part);
  return report + fmt::format("--{}--\r\n", boundary);
}

}  // namespace postern::lab
