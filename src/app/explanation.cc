#include "app/explanation.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "lab/product_report.h"
#include "mail/address.h"
#include "settings/diagnostic.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using policy::UnknownIpState;

std::string_view secure_text(bool secure) {
  return secure ? ", DNSSEC" : "";
}

std::string shown_addresses(const auth::IprevName& name) {
  std::string text;
  for (const IpAddress& address : name.addresses)
    text += (text.empty() ? "" : ", ") + address.text();
  if (name.addresses_left_out > 0) text += fmt::format(" and {} more", name.addresses_left_out);
  return text;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// The SMTP command in whose answer the client was refused, as reports name it.
std::string_view stage_of(policy::AnswerAt step) {
  switch (step) {
    case policy::AnswerAt::connect:
      return "connect";
    case policy::AnswerAt::ehlo:
      return "EHLO";
    case policy::AnswerAt::mail:
      return "MAIL FROM";
    case policy::AnswerAt::rcpt:
      return "RCPT TO";
  }
  return "RCPT TO";
}

std::string name_line(const auth::IprevName& name, const IpAddress& client) {
  if (!name.usable) return fmt::format("{}: no host name, not looked up", printable(name.name));
  if (!dns::is_determined(name.status))
    return fmt::format("{}: {}", printable(name.name), dns::status_name(name.status));
  if (name.status != dns::Status::ok)
    return fmt::format("{}: {} (TTL {}{})", printable(name.name), dns::status_name(name.status),
                       name.ttl_seconds, secure_text(name.secure));
  return fmt::format("{}: {} (TTL {}{}){}", printable(name.name), shown_addresses(name),
                     name.ttl_seconds, secure_text(name.secure),
                     auth::confirms(name, client) ? ": leads back" : ": does not lead back");
}

lab::ReportFacts report_facts(const Explanation& explanation, const upstream::Profile& profile) {
  lab::ReportFacts facts;
  const bool at_once = refused_for_good(explanation);
  facts.kind = at_once ? lab::ReportKind::refusal : lab::ReportKind::failure;
  facts.host = explanation.helo.empty() ? explanation.client.text() : printable(explanation.helo);
  facts.sender = printable(explanation.sender);
  facts.recipient = printable(explanation.recipient);
  facts.reply = printable(explanation.reply, 512);
  facts.stage = stage_of(explanation.answered_at);
  facts.mx = explanation.hostname;
  facts.unique = "example";
  facts.waited = at_once ? Duration{} : profile.give_up;
  facts.now = explanation.first_attempt + facts.waited;
  return facts;
}

/// What of a product's words is true here: which of our addresses it tries is its own choice, and
/// it may have come no further than its first commands.
std::string fitted(std::string text, policy::AnswerAt answered_at) {
  replace_all(text, " [{mx_ip}]", "");
  replace_all(text, "[{mx_ip}]", "");
  replace_all(text, "{mx_ip}", "{mx}");
  if (answered_at == policy::AnswerAt::rcpt) return text;
  for (const std::string_view at_rcpt :
       {"{stage}:<{recipient}>", "RCPT TO:<{recipient}>", "RCPT To:<{recipient}>"})
    replace_all(text, at_rcpt, "{stage}");
  return text;
}

std::string body_of(const std::string& message) {
  const auto end = message.find("\r\n\r\n");
  std::string body = end == std::string::npos ? message : message.substr(end + 4);
  std::erase(body, '\r');
  return body;
}

/// The words for people of a report, without its MIME frame.
std::string report_words(const Explanation& explanation, const upstream::Profile& profile,
                         const lab::ReportFacts& facts) {
  upstream::Profile plain = profile;
  plain.mime = false;
  plain.report_text = fitted(std::move(plain.report_text), explanation.answered_at);
  plain.refused_text = fitted(std::move(plain.refused_text), explanation.answered_at);
  return body_of(lab::product_report(plain, facts));
}

/// Who reads a report of a server of this profile.
bool somebody_reads(const Explanation& explanation, const upstream::Profile& profile) {
  return profile.reports && !explanation.sender.empty();
}

/// A reply that is final ends it at once.
upstream::Forecast forecast_of(const Explanation& explanation, const upstream::Profile& profile) {
  const WallTime first = explanation.first_attempt;
  if (!refused_for_good(explanation))
    return upstream::forecast(first, explanation.last_attempt, explanation.attempts, profile);
  return {.next_attempt = first,
          .first_sign = profile.reports ? std::optional(first) : std::nullopt,
          .gives_up = first};
}

std::string upstream_line(const upstream::Candidate& candidate, const Explanation& explanation) {
  const upstream::Profile& profile = *candidate.profile;
  std::string text = fmt::format("  {}", profile.product);
  if (explanation.upstreams.size() > 1)
    text += fmt::format(" ({:.0f} %)", candidate.probability * 100);
  if (refused_for_good(explanation))
    return text + (profile.reports ? ": reports at once, since 550 is final\n"
                                   : ": does not try again, and nobody is told\n");
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

}  // namespace

Result<std::vector<upstream::Candidate>> upstreams_of(const std::string& profile,
                                                      const upstream::Habits& seen) {
  const upstream::Profiles& known = upstream::shipped_profiles_read();
  if (profile.empty()) {
    auto found = upstream::recognize(seen, known);
    found.resize(std::min(found.size(), upstreams_told_max));
    return found;
  }
  if (const upstream::Profile* found = known.find(profile))
    return std::vector{upstream::Candidate{.profile = found, .probability = 1}};
  const std::vector<std::string> names = known.names();
  const std::string_view meant = settings::nearest(profile, names);
  return operator_failure(Cause::not_found,
                          fmt::format("there is no profile {}; {}", printable(profile),
                                      meant.empty() ? "`postern lab profiles` lists them"
                                                    : fmt::format("did you mean {}?", meant)));
}

std::string lookups_text(const auth::Iprev& iprev) {
  std::string text =
      fmt::format("  PTR {}: {}", iprev.address.reverse_name(), dns::status_name(iprev.ptr_status));
  if (iprev.ptr_status == dns::Status::ok)
    text += fmt::format(", {} name{}", iprev.ptr_count, iprev.ptr_count == 1 ? "" : "s");
  if (dns::is_determined(iprev.ptr_status)) text += fmt::format(" (TTL {})", iprev.ptr_ttl_seconds);
  text += "\n";
  for (const auth::IprevName& name : iprev.names)
    text += "    " + name_line(name, iprev.address) + "\n";
  if (iprev.ptr_count > iprev.names.size())
    text += fmt::format("    and {} more, which are not looked at\n",
                        iprev.ptr_count - iprev.names.size());
  return text;
}

std::optional<UnknownIpState> state_named(std::string_view name) {
  constexpr std::array states{UnknownIpState::pass,     UnknownIpState::no_ptr,
                              UnknownIpState::bad_name, UnknownIpState::no_forward,
                              UnknownIpState::mismatch, UnknownIpState::temp_error,
                              UnknownIpState::skipped};
  const auto* found = std::ranges::find(states, name, policy::state_name);
  return found == states.end() ? std::nullopt : std::optional(*found);
}

std::optional<policy::Action> action_named(std::string_view name) {
  using policy::Action;
  constexpr std::array actions{Action::accept, Action::tag, Action::reply_450, Action::reply_451,
                               Action::reply_550};
  const auto* found = std::ranges::find(actions, name, policy::action_name);
  return found == actions.end() ? std::nullopt : std::optional(*found);
}

std::string cause_of(UnknownIpState state, const auth::Iprev& iprev) {
  if (state == UnknownIpState::temp_error) return "its reverse name cannot be looked up";
  const std::string cause =
      policy::classify(iprev) == state ? policy::cause_text(state, iprev) : std::string();
  return cause.empty() ? std::string(policy::state_name(state)) : cause;
}

bool refused_for_good(const Explanation& explanation) {
  return explanation.action == policy::Action::reply_550;
}

std::string servers_text(const Explanation& explanation) {
  std::string text;
  for (const upstream::Candidate& candidate : explanation.upstreams)
    text += upstream_line(candidate, explanation);
  return text;
}

std::string report_text(const Explanation& explanation) {
  if (explanation.upstreams.empty()) return {};
  const upstream::Profile& profile = *explanation.upstreams.front().profile;
  if (!somebody_reads(explanation, profile)) return {};
  const lab::ReportFacts facts = report_facts(explanation, profile);
  return fmt::format("\nWhat {} then reads, from {}:\n\n    Subject: {}\n\n{}", facts.sender,
                     lab::product_from(profile, facts.host), lab::product_subject(profile, facts),
                     indented(report_words(explanation, profile, facts)));
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

std::string remedy_text(const policy::Remedy& remedy) {
  if (remedy.records.empty() && remedy.advice.empty()) return {};
  std::string text = "\nWhat the sender's administrator has to do:\n";
  for (const std::string& record : remedy.records) text += "    " + record + "\n";
  for (const std::string& advice : remedy.advice) text += "  " + advice + "\n";
  return text;
}

array strings_json(const std::vector<std::string>& values) {
  array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

array upstreams_json(const Explanation& explanation) {
  array upstreams;
  const WallTime first = explanation.first_attempt;
  const auto add = [first](object& to, std::string_view what, WallTime time) {
    to[what] = format_iso8601(time);
    to[std::string(what) + "_seconds"] = std::chrono::floor<seconds>(time - first).count();
  };
  for (const upstream::Candidate& candidate : explanation.upstreams) {
    const upstream::Profile& profile = *candidate.profile;
    const upstream::Forecast forecast = forecast_of(explanation, profile);
    const bool at_once = refused_for_good(explanation);
    object entry{{"profile", profile.name},
                 {"product", profile.product},
                 {"probability", candidate.probability},
                 {"reports", profile.reports},
                 {"quotes_reply", profile.quotes_reply || at_once}};
    if (!at_once) add(entry, "next_attempt", forecast.next_attempt);
    if (forecast.first_sign) add(entry, "first_sign", *forecast.first_sign);
    add(entry, "gives_up", forecast.gives_up);
    if (somebody_reads(explanation, profile)) {
      const lab::ReportFacts facts = report_facts(explanation, profile);
      entry["report_from"] = lab::product_from(profile, facts.host);
      entry["report_subject"] = lab::product_subject(profile, facts);
      entry["report_text"] = report_words(explanation, profile, facts);
    }
    upstreams.push_back(std::move(entry));
  }
  return upstreams;
}

std::string domain_of(const std::string& address) {
  const auto mailbox = mail::parse_mailbox(address);
  return mailbox ? mail::normalize_domain(mailbox->domain) : std::string();
}

}  // namespace postern::app
