#include "app/overrides.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

using policy::Action;
using policy::Override;
using settings::Section;

constexpr std::size_t overrides_max = 10'000;

void warn_of_unknown(Section& section, policy::AnswerAt answer_at) {
  using policy::AnswerAt;
  const auto warn = [&](std::string_view key, std::string_view of_whom, AnswerAt known_at) {
    if (!section.has(key) || answer_at >= known_at) return;
    section.problem(
        key,
        {fmt::format("the override never counts: answer_at = \"{}\" answers clients before the {} "
                     "is known",
                     answer_at_name(answer_at), of_whom),
         fmt::format("set [unknown_ip] answer_at = \"{}\", or remove the override",
                     answer_at_name(known_at))},
        settings::Weight::warning);
  };
  warn("sender_domain", "sender", AnswerAt::mail);
  warn("recipient_domain", "recipient", AnswerAt::rcpt);
}

/// A client with a confirmed name is accepted anyway, unless another override refuses it.
void warn_of_needless(std::vector<Section>& sections, const std::vector<Override>& rules) {
  const auto refuses_confirmed = [](const Override& rule) {
    return policy::is_reply(rule.action) && (rule.network || !rule.ptr_domain.empty());
  };
  if (std::ranges::any_of(rules, refuses_confirmed)) return;
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (!rules[i].ptr_domain.empty() && rules[i].action == Action::accept)
      sections[i].problem(
          "ptr_domain",
          {"changes nothing: a client with a confirmed name is accepted anyway, since no override "
           "refuses one",
           "remove the override, or give the network of clients without a name"},
          settings::Weight::warning);
}

Override read_override(Section section, policy::AnswerAt answer_at) {
  Override rule;
  IpNetwork network;
  section.parsed("network", network, parse_network);
  section.parsed("ptr_domain", rule.ptr_domain, parse_domain);
  section.parsed("sender_domain", rule.sender_domain, parse_domain);
  section.parsed("recipient_domain", rule.recipient_domain, parse_domain);
  section.choice("action", rule.action,
                 {{"accept", Action::accept},
                  {"tag", Action::tag},
                  {"450", Action::reply_450},
                  {"451", Action::reply_451},
                  {"550", Action::reply_550}});
  section.text("comment", rule.comment);
  WallTime expires;
  section.parsed("expires", expires, parse_last_day);
  section.finish();
  if (!section.present()) return rule;
  if (section.has("network")) rule.network = network;
  if (section.has("expires")) rule.expires = expires;
  if (!section.has("action"))
    section.problem("", {"has no action", "add one: action = \"accept\""});
  if (!section.has("network") && !section.has("ptr_domain") && !section.has("sender_domain") &&
      !section.has("recipient_domain"))
    section.problem("", {"has no condition, so that it would hold for everybody",
                         "add network, ptr_domain, sender_domain or recipient_domain"});
  warn_of_unknown(section, answer_at);
  return rule;
}

}  // namespace

std::vector<settings::Diagnostic> warn_of_expired(const policy::Overrides& overrides,
                                                  const std::string& file, WallTime now) {
  std::vector<settings::Diagnostic> warnings;
  for (const Override& rule : overrides.all())
    if (rule.expires && now >= *rule.expires)
      warnings.push_back(
          {.weight = settings::Weight::warning,
           .file = file,
           .place = {},
           .section = "unknown_ip.override",
           .key = "expires",
           .what = fmt::format("the override {} is over since {} and never counts",
                               printable(rule.name()), format_iso8601(*rule.expires).substr(0, 10)),
           .advice = "remove it, or give it a later day"});
  return warnings;
}

settings::Parsed<WallTime> parse_last_day(std::string_view text) {
  const auto wrong = settings::object("\"" + printable(text, 40) + "\" is no day",
                                      "write the last day on which it holds: \"2027-01-31\"");
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return wrong;
  const auto number = [text](std::size_t at, std::size_t digits) {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
      if (!ascii_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 1970 || year > 2200 || month < 1 || day < 1) return wrong;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return wrong;
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(24));
}

policy::Overrides read_overrides(Section& unknown_ip, policy::AnswerAt answer_at) {
  std::vector<Override> rules;
  std::vector<Section> sections = unknown_ip.sections("override", overrides_max);
  rules.reserve(sections.size());
  for (const Section& section : sections) rules.push_back(read_override(section, answer_at));
  warn_of_needless(sections, rules);
  // Without one its keys are known all the same.
  if (sections.empty()) read_override(unknown_ip.absent("override"), answer_at);
  return policy::Overrides(std::move(rules));
}

}  // namespace postern::app
