#include "app/recipients.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>

#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

using policy::RecipientList;
using policy::RecipientSource;
using policy::WhenUndecided;
using policy::WhenUnknown;
using settings::Section;

constexpr std::size_t domains_max = 10'000;
constexpr std::size_t list_count_max = 10'000;

/// One element of `list`, as a line of a file would say it.
Parsed<std::string> parse_listed(std::string_view text) {
  const bool control = std::ranges::any_of(text, [](char c) { return !ascii_printable(c); });
  const auto parsed = RecipientList::parse(text);
  if (!parsed.problems.empty())
    return object(parsed.problems.front().what, parsed.problems.front().advice);
  if (control || parsed.list.size() != 1)
    return object("\"" + printable(text, 100) + "\" is not a mail address",
                  "write one such as \"bob@example.com\"");
  return std::string(text);
}

void when_unknown(Section& section, WhenUnknown& into) {
  section.choice("when_unknown", into,
                 {{"550", WhenUnknown::reply_550}, {"450", WhenUnknown::reply_450}});
}

void when_undecided(Section& section, WhenUndecided& into) {
  section.choice("when_undecided", into,
                 {{"450", WhenUndecided::reply_450}, {"accept", WhenUndecided::accept}});
}

/// Whether mail for (some of) the domain is taken at all.
bool is_relayed(const std::string& domain, const Configuration::Relay& relay) {
  return std::ranges::any_of(relay.domains, [&domain](const std::string& ours) {
    if (ours == domain) return true;
    if (ours.starts_with('.')) return domain.ends_with(ours);
    return domain.starts_with('.') && ours.ends_with(domain);
  });
}

RecipientList list_of_file(Section& section, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  constexpr std::size_t chunk_bytes = 1 << 20;
  while (file && text.size() <= RecipientList::bytes_max) {
    const std::size_t before = text.size();
    text.resize(before + chunk_bytes);
    file.read(text.data() + before, chunk_bytes);
    text.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  RecipientList::Parsed parsed = RecipientList::parse(text);
  for (policy::ListProblem& problem : parsed.problems)
    section.problem_in_file(path, static_cast<int>(problem.line),
                            {std::move(problem.what), std::move(problem.advice)});
  if (parsed.problems_count > parsed.problems.size())
    section.problem_in_file(
        path, 0,
        {fmt::format("{} more lines are wrong", parsed.problems_count - parsed.problems.size()),
         "correct the first ones, then check again"});
  return std::move(parsed.list);
}

void read_list(Section& section, Configuration::RecipientDomain& domain) {
  std::vector<std::string> lines;
  const bool has_list = section.list("list", lines, list_count_max, parse_listed);
  section.parsed("file", domain.file, parse_readable_file);
  if (!section.present()) return;
  const bool wants_list = domain.check == RecipientSource::list;
  for (const std::string_view key : {"list", "file", "delimiter"})
    if (section.has(key) && !wants_list)
      section.problem(key, {"is not looked at", "write check = \"list\", or remove this"});
  if (section.has("when_undecided") && domain.check != RecipientSource::probe)
    section.problem("when_undecided",
                    {"is not looked at", "write check = \"probe\", or remove this"});
  if (!wants_list) return;
  if (section.has("list") == section.has("file")) {
    section.problem("check", {"\"list\" needs either file or list",
                              "give one of them: file = \"/etc/postern/example.com.recipients\""});
    return;
  }
  if (has_list) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    domain.list = RecipientList::parse(text).list;
  } else if (!domain.file.empty()) {
    domain.list = list_of_file(section, domain.file);
  } else {
    return;
  }
  // An empty list is more often the accident of the program that writes it than what is meant.
  if (!domain.domain.empty() && !domain.list.names_domain(domain.domain))
    section.problem(
        section.has("list") ? "list" : "file",
        {fmt::format("has no address of {}: all of its mail would be refused", domain.domain),
         "add its addresses, or remove the domain from [relay] domains"});
}

void read_domain(Section section, const Configuration::Relay& relay,
                 Configuration::Recipients& recipients) {
  Configuration::RecipientDomain domain;
  domain.when_unknown = recipients.when_unknown;
  domain.when_undecided = recipients.when_undecided;
  section.parsed("domain", domain.domain, parse_domain);
  section.choice("check", domain.check,
                 {{"any", RecipientSource::any},
                  {"list", RecipientSource::list},
                  {"probe", RecipientSource::probe}});
  section.text("delimiter", domain.delimiter);
  when_unknown(section, domain.when_unknown);
  when_undecided(section, domain.when_undecided);
  read_list(section, domain);
  section.finish();
  if (!section.present()) return;
  if (!section.has("domain"))
    section.problem("", {"has no domain", "add one: domain = \"example.com\""});
  if (!section.has("check")) section.problem("", {"has no check", "add one: check = \"list\""});
  const bool delimits = domain.delimiter.empty() ||
                        (domain.delimiter.size() == 1 && domain.delimiter != "@" &&
                         !ascii_alnum(domain.delimiter[0]) && ascii_printable(domain.delimiter[0]));
  if (!delimits)
    section.problem("delimiter", {"must be one character that is no letter, digit or @",
                                  "write \"+\", or \"\" for none"});
  if (!domain.domain.empty() && !is_relayed(domain.domain, relay))
    section.problem("domain",
                    {fmt::format("\"{}\" is not in [relay] domains, so that nobody asks about it",
                                 domain.domain),
                     "add it there, or correct it here"});
  if (!domain.domain.empty() &&
      std::ranges::find(recipients.domains, domain.domain,
                        &Configuration::RecipientDomain::domain) != recipients.domains.end())
    section.problem("domain", {fmt::format("there are two checks for \"{}\"", domain.domain),
                               "remove one of them"});
  recipients.domains.push_back(std::move(domain));
}

/// "": the null reverse path.
Parsed<std::string> parse_probe_sender(std::string_view text) {
  return text.empty() ? Parsed<std::string>(std::string()) : parse_mailbox(text);
}

void read_probe(Section section, Configuration::Probe& probe) {
  constexpr Duration minute = std::chrono::minutes(1);
  constexpr Duration ttl_max = std::chrono::hours(366 * 24);
  section.parsed("sender", probe.sender, parse_probe_sender);
  section.duration("timeout", probe.timeout, std::chrono::milliseconds(100), minute);
  section.duration("known_ttl", probe.known_ttl, minute, ttl_max);
  section.duration("known_refresh", probe.known_refresh, minute, ttl_max);
  section.duration("unknown_ttl", probe.unknown_ttl, seconds(1), ttl_max);
  section.duration("unknown_refresh", probe.unknown_refresh, seconds(1), ttl_max);
  section.integer("entries_max", probe.entries_max, 100, 10'000'000);
  section.integer("connections_per_destination_max", probe.connections_per_destination_max, 1, 50);
  section.finish();
  const auto refreshed_too_late = [&section](std::string_view key, Duration refresh, Duration ttl) {
    if (refresh > ttl)
      section.problem(key,
                      {fmt::format("is longer than the answer counts ({})", format_duration(ttl)),
                       "make it shorter"});
  };
  refreshed_too_late("known_refresh", probe.known_refresh, probe.known_ttl);
  refreshed_too_late("unknown_refresh", probe.unknown_refresh, probe.unknown_ttl);
}

}  // namespace

void read_recipients(Section section, const Configuration::Relay& relay,
                     Configuration::Recipients& recipients) {
  when_unknown(section, recipients.when_unknown);
  when_undecided(section, recipients.when_undecided);
  read_probe(section.section("probe"), recipients.probe);
  const std::vector<Section> domains = section.sections("domain", domains_max);
  for (const Section& domain : domains) read_domain(domain, relay, recipients);
  // Without one its keys are known all the same.
  if (domains.empty()) read_domain(section.absent("domain"), relay, recipients);
  section.finish();
}

policy::RecipientOptions recipient_options(const Configuration::Recipients& recipients) {
  policy::RecipientOptions options;
  for (const Configuration::RecipientDomain& domain : recipients.domains) {
    policy::RecipientRule rule;
    rule.domain = domain.domain;
    rule.source = domain.check;
    rule.list = domain.list;
    rule.list_name = domain.file.empty() ? "[recipients.domain] list" : domain.file;
    rule.delimiter = domain.delimiter;
    rule.when_unknown = domain.when_unknown;
    rule.when_undecided = domain.when_undecided;
    options.rules.push_back(std::move(rule));
  }
  const Configuration::Probe& probe = recipients.probe;
  options.probe.timeout = probe.timeout;
  options.probe.known_ttl = probe.known_ttl;
  options.probe.known_refresh = probe.known_refresh;
  options.probe.unknown_ttl = probe.unknown_ttl;
  options.probe.unknown_refresh = probe.unknown_refresh;
  options.probe.entries_max = probe.entries_max;
  return options;
}

}  // namespace postern::app
