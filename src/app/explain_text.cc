#include <algorithm>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/explain.h"
#include "base/text.h"
#include "lab/product_report.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using policy::UnknownIpMode;
using policy::UnknownIpState;

std::string seconds_text(Duration duration) {
  return fmt::format("{:.3f} s", std::chrono::duration<double>(duration).count());
}

std::string_view secure_text(bool secure) {
  return secure ? ", DNSSEC" : "";
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text += (text.empty() ? "" : ", ") + address.text();
  return text;
}

std::string name_line(const auth::IprevName& name, const IpAddress& client) {
  if (!name.usable) return fmt::format("{}: no host name, not looked up", printable(name.name));
  if (name.status != dns::Status::ok)
    return fmt::format("{}: {}{}", printable(name.name), dns::status_name(name.status),
                       secure_text(name.secure));
  const bool leads_back = std::ranges::find(name.addresses, client) != name.addresses.end();
  return fmt::format("{}: {} (TTL {}{}){}", printable(name.name), joined(name.addresses),
                     name.ttl_seconds, secure_text(name.secure),
                     leads_back ? ": leads back" : ": does not lead back");
}

std::string lookups_text(const Explanation& explanation) {
  const auth::Iprev& iprev = explanation.iprev;
  std::string text = fmt::format("Lookups ({}):\n", seconds_text(iprev.took));
  text += fmt::format("  PTR {}: {}", explanation.client.reverse_name(),
                      dns::status_name(iprev.ptr_status));
  if (iprev.ptr_status == dns::Status::ok)
    text += fmt::format(", {} name{} (TTL {})", iprev.ptr_count, iprev.ptr_count == 1 ? "" : "s",
                        iprev.ptr_ttl_seconds);
  text += "\n";
  for (const auth::IprevName& name : iprev.names)
    text += "    " + name_line(name, explanation.client) + "\n";
  if (iprev.ptr_count > iprev.names.size())
    text += fmt::format("    and {} more, which are not looked at\n",
                        iprev.ptr_count - iprev.names.size());
  return text;
}

std::string rule_text(const Explanation& explanation) {
  std::string text = fmt::format("State: {}", policy::state_name(explanation.state));
  if (explanation.state == UnknownIpState::skipped)
    text += fmt::format(": {}", explanation.skipped_because);
  text += fmt::format("\nAction: {}", policy::action_name(explanation.action));
  if (!explanation.override_name.empty())
    text += fmt::format(" ([[unknown_ip.override]] {})", printable(explanation.override_name));
  else if (explanation.state != UnknownIpState::skipped &&
           explanation.state != UnknownIpState::pass)
    text += fmt::format(" ([unknown_ip.actions] {})", policy::state_name(explanation.state));
  text += "\n";
  switch (explanation.mode) {
    case UnknownIpMode::off:
      text +=
          "Mode: off, so that nothing is looked up or refused; this is what enforce would do.\n";
      break;
    case UnknownIpMode::observe:
      text += "Mode: observe, so that the client is accepted and this is only recorded.\n";
      break;
    case UnknownIpMode::enforce:
      text += "Mode: enforce.\n";
      break;
  }
  return text;
}

lab::ReportFacts report_facts(const Explanation& explanation, const upstream::Profile& profile,
                              lab::ReportKind kind) {
  lab::ReportFacts facts;
  facts.kind = kind;
  facts.host = explanation.helo.empty() ? explanation.client.text() : printable(explanation.helo);
  facts.sender = explanation.sender;
  facts.recipient = explanation.recipient;
  facts.reply = explanation.reply;
  facts.stage = "RCPT TO";
  facts.mx = explanation.hostname.empty() ? "the gateway" : explanation.hostname;
  facts.mx_ip = "its address";
  facts.unique = "example";
  facts.waited = kind == lab::ReportKind::failure ? profile.give_up : profile.delay_notice;
  facts.now = explanation.now + facts.waited;
  return facts;
}

bool refused_for_good(const Explanation& explanation) {
  return explanation.action == policy::Action::reply_550;
}

std::string upstream_line(const upstream::Candidate& candidate, const Explanation& explanation) {
  const upstream::Profile& profile = *candidate.profile;
  std::string text = fmt::format("  {}", profile.product);
  if (explanation.upstreams.size() > 1)
    text += fmt::format(" ({:.0f} %)", candidate.probability * 100);
  if (refused_for_good(explanation)) return text + ": reports at once, since 550 is final\n";
  if (!profile.reports)
    return text + (profile.retry.empty() ? ": never tries again, and nobody is told\n"
                                         : ": tries again, gives up, and nobody is told\n");
  text += fmt::format(": tries again after {}, {} attempts in all; ",
                      format_duration(profile.wait_after(1)), profile.attempts().size());
  if (profile.delay_notice != Duration{} && profile.delay_notice < profile.give_up)
    text += fmt::format("tells its user of the delay after {}; ",
                        format_duration(profile.delay_notice));
  text += fmt::format("reports after {}, {} our reply\n", format_duration(profile.give_up),
                      profile.quotes_reply ? "and quotes" : "without");
  return text;
}

std::string body_of(const std::string& message) {
  const auto end = message.find("\r\n\r\n");
  std::string body = end == std::string::npos ? message : message.substr(end + 4);
  std::erase(body, '\r');
  return body;
}

/// The words for people of a report, without its MIME frame.
std::string report_words(const upstream::Profile& profile, const lab::ReportFacts& facts) {
  upstream::Profile plain = profile;
  plain.mime = false;
  return body_of(lab::product_report(plain, facts));
}

std::string indented(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    out += line.empty() ? "\n" : "    " + line + "\n";
    at = end + 1;
  }
  return out;
}

std::string who_is_told(const Explanation& explanation) {
  std::string text =
      "\nThe sender's own server reports that the mail was not delivered; Postern never took it. "
      "If "
      "it is\n";
  for (const upstream::Candidate& candidate : explanation.upstreams)
    text += upstream_line(candidate, explanation);
  if (explanation.upstreams.empty() || !explanation.upstreams.front().profile->reports) return text;
  const upstream::Profile& profile = *explanation.upstreams.front().profile;
  const lab::ReportFacts facts = report_facts(explanation, profile, lab::ReportKind::failure);
  text += fmt::format("\nWhat {} then reads, from {}:\n\n    Subject: {}\n\n", explanation.sender,
                      lab::product_from(profile, facts.host), lab::product_subject(profile, facts));
  return text + indented(report_words(profile, facts));
}

std::string remedy_text(const policy::Remedy& remedy) {
  if (remedy.records.empty() && remedy.advice.empty()) return {};
  std::string text = "\nWhat the sender's administrator has to do:\n";
  for (const std::string& record : remedy.records) text += "    " + record + "\n";
  for (const std::string& advice : remedy.advice) text += "  " + advice + "\n";
  return text;
}

array records_json(const std::vector<std::string>& values) {
  array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

array names_json(const Explanation& explanation) {
  array names;
  for (const auth::IprevName& name : explanation.iprev.names) {
    array addresses;
    for (const IpAddress& address : name.addresses) addresses.emplace_back(address.text());
    object entry{{"name", printable(name.name)}, {"usable", name.usable}};
    if (name.usable) {
      entry["status"] = dns::status_name(name.status);
      entry["addresses"] = std::move(addresses);
      entry["ttl"] = name.ttl_seconds;
      entry["secure"] = name.secure;
    }
    names.push_back(std::move(entry));
  }
  return names;
}

array upstreams_json(const Explanation& explanation) {
  array upstreams;
  const auto in_seconds = [](Duration d) { return std::chrono::floor<seconds>(d).count(); };
  for (const upstream::Candidate& candidate : explanation.upstreams) {
    const upstream::Profile& profile = *candidate.profile;
    const upstream::Forecast forecast =
        upstream::forecast(explanation.now, explanation.now, 1, profile);
    object entry{{"profile", profile.name},
                 {"product", profile.product},
                 {"probability", candidate.probability},
                 {"reports", profile.reports},
                 {"quotes_reply", profile.quotes_reply},
                 {"next_attempt_seconds", in_seconds(forecast.next_attempt - explanation.now)},
                 {"gives_up_seconds", in_seconds(forecast.gives_up - explanation.now)}};
    if (forecast.first_sign)
      entry["first_sign_seconds"] = in_seconds(*forecast.first_sign - explanation.now);
    if (profile.reports) {
      const lab::ReportFacts facts = report_facts(explanation, profile, lab::ReportKind::failure);
      entry["report_from"] = lab::product_from(profile, facts.host);
      entry["report_subject"] = lab::product_subject(profile, facts);
      entry["report_text"] = report_words(profile, facts);
    }
    upstreams.push_back(std::move(entry));
  }
  return upstreams;
}

std::string_view mode_name(UnknownIpMode mode) {
  switch (mode) {
    case UnknownIpMode::off:
      return "off";
    case UnknownIpMode::observe:
      return "observe";
    case UnknownIpMode::enforce:
      return "enforce";
  }
  return "";
}

}  // namespace

std::string explanation_text(const Explanation& explanation) {
  std::string text =
      fmt::format("Client {}{}\n\n", explanation.client.text(),
                  explanation.helo.empty() ? std::string()
                                           : fmt::format(", HELO {}", printable(explanation.helo)));
  if (explanation.state != UnknownIpState::skipped) text += lookups_text(explanation) + "\n";
  text += rule_text(explanation);
  if (explanation.reply.empty()) return text + "\nIts mail is accepted.\n";
  text += fmt::format("\nIt reads at RCPT, where the case is another each time:\n    {}\n",
                      explanation.reply);
  text += who_is_told(explanation);
  text += remedy_text(explanation.remedy);
  return text + fmt::format("\nTo exempt it, in [unknown_ip]: exempt_networks = [\"{}\"]\n",
                            explanation.client.text());
}

std::string explanation_json(const Explanation& explanation) {
  object out{{"client", explanation.client.text()},
             {"helo", printable(explanation.helo)},
             {"from", printable(explanation.sender)},
             {"to", printable(explanation.recipient)},
             {"mode", mode_name(explanation.mode)},
             {"state", policy::state_name(explanation.state)},
             {"action", policy::action_name(explanation.action)},
             {"override", explanation.override_name},
             {"refused", !explanation.reply.empty()}};
  if (explanation.state == UnknownIpState::skipped) {
    out["skipped_because"] = explanation.skipped_because;
    return boost::json::serialize(out);
  }
  const auth::Iprev& iprev = explanation.iprev;
  out["ptr"] = object{{"name", explanation.client.reverse_name()},
                      {"status", dns::status_name(iprev.ptr_status)},
                      {"count", iprev.ptr_count},
                      {"ttl", iprev.ptr_ttl_seconds}};
  out["names"] = names_json(explanation);
  out["secure"] = iprev.secure;
  out["took_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(iprev.took).count();
  if (explanation.reply.empty()) return boost::json::serialize(out);
  out["reply"] = explanation.reply;
  out["upstreams"] = upstreams_json(explanation);
  out["publish"] = records_json(explanation.remedy.records);
  out["advice"] = records_json(explanation.remedy.advice);
  out["exempt"] = explanation.client.text();
  return boost::json::serialize(out);
}

std::string explanation_letter(const Explanation& explanation) {
  const std::string domain = explanation.sender.substr(explanation.sender.rfind('@') + 1);
  std::string text = fmt::format(
      "From: {}\nTo: postmaster@{}\nSubject: Your mail server {} has no confirmed reverse name\n\n"
      "Your mail server with the address {}{} sends mail to us, from {} for instance.\n"
      "We answer it\n\n    {}\n\nsince its address has no reverse name in the DNS that leads back "
      "to "
      "it. Your server keeps the mail and tries\nagain for some time; then it reports to its users "
      "that "
      "the mail was not delivered.\n",
      explanation.postmaster.empty() ? "postmaster" : explanation.postmaster, domain,
      explanation.client.text(), explanation.client.text(),
      explanation.helo.empty() ? std::string()
                               : fmt::format(" (it calls itself {})", printable(explanation.helo)),
      explanation.sender, explanation.reply);
  if (!explanation.remedy.records.empty()) {
    text += "\nThese records in the DNS mend it:\n\n";
    for (const std::string& record : explanation.remedy.records) text += "    " + record + "\n";
  }
  if (!explanation.remedy.advice.empty()) text += "\n";
  for (const std::string& advice : explanation.remedy.advice) text += advice + "\n";
  return text + fmt::format("\nWhat we found:\n\n{}", indented(lookups_text(explanation)));
}

}  // namespace postern::app
