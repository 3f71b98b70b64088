#include "upstream/profile.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "base/check.h"
#include "base/embedded.h"
#include "base/text.h"
#include "settings/section.h"

namespace postern::upstream {

/// profiles.toml.
std::span<const EmbeddedText> shipped_profiles();

namespace {

using settings::Section;

constexpr std::uint64_t wait_seconds_max = 60ULL * 60 * 24 * 30;
constexpr std::size_t waits_max = 1'000;
/// A profile that tries each second for a month would never end.
constexpr std::size_t attempts_max = 10'000;
constexpr std::size_t profiles_max = 200;
constexpr std::size_t helo_max = 20;

void read_seconds(Section& section, std::string_view key, Duration& into) {
  std::uint64_t value = 0;
  section.integer(key, value, 0, wait_seconds_max);
  into = seconds(static_cast<std::int64_t>(value));
}

void read_waits(Section& section, Profile& profile) {
  std::vector<std::uint64_t> waits;
  section.integers("retry", waits, waits_max, 1, wait_seconds_max);
  for (const std::uint64_t wait : waits)
    profile.retry.emplace_back(seconds(static_cast<std::int64_t>(wait)));
}

void check_sense(Section& section, const Profile& profile) {
  if (!profile.retry.empty() && profile.give_up == Duration{})
    section.problem("give_up", {"is missing, but there is a list of waits",
                                "write how many seconds after the arrival it gives up"});
  if (profile.reports && profile.report_text.empty())
    section.problem("report_text", {"is missing", "write what the user reads, or reports = false"});
  if (profile.delay_notice != Duration{} && profile.reports && profile.delay_text.empty())
    section.problem("delay_text", {"is missing, but delay_notice is set",
                                   "write what the user reads, or delay_notice = 0"});
  if (profile.attempts().size() >= attempts_max)
    section.problem("then", {fmt::format("gives more than {} attempts", attempts_max),
                             "make it longer, or give_up sooner"});
}

settings::Parsed<std::string> read_helo(std::string_view text) {
  if (text.empty() || text == "*")
    return std::unexpected(settings::Objection{"matches every name", "write \"*.example.com\""});
  return to_lower(text);
}

Profile read_profile(std::string name, Section section) {
  Profile profile;
  profile.name = std::move(name);
  profile.product = profile.name;
  section.text("product", profile.product);
  read_waits(section, profile);
  read_seconds(section, "then", profile.then);
  read_seconds(section, "delay_notice", profile.delay_notice);
  read_seconds(section, "give_up", profile.give_up);
  section.flag("reports", profile.reports);
  section.flag("mime", profile.mime);
  section.flag("quotes_reply", profile.quotes_reply);
  section.text("report_from", profile.report_from);
  profile.from = profile.report_from;
  section.text("from", profile.from);
  section.text("report_subject", profile.report_subject);
  section.paragraph("report_text", profile.report_text);
  section.paragraph("refused_text", profile.refused_text);
  section.text("delay_subject", profile.delay_subject);
  section.paragraph("delay_text", profile.delay_text);
  section.choice("confidence", profile.confidence,
                 {{"source", Confidence::source},
                  {"vendor", Confidence::vendor},
                  {"field", Confidence::field}});
  section.choice("greeting", profile.greeting,
                 {{"ehlo", Greeting::ehlo}, {"helo", Greeting::helo}, {"any", Greeting::unknown}});
  std::uint64_t share = 1;
  section.integer("share", share, 1, 100);
  profile.share = static_cast<double>(share);
  section.list("helo", profile.helo, helo_max, read_helo);
  check_sense(section, profile);
  section.finish();
  return profile;
}

}  // namespace

std::string_view confidence_name(Confidence confidence) {
  switch (confidence) {
    case Confidence::source:
      return "source";
    case Confidence::vendor:
      return "vendor";
    case Confidence::field:
      return "field";
  }
  CHECK(false);
}

std::string_view greeting_name(Greeting greeting) {
  switch (greeting) {
    case Greeting::unknown:
      return "unknown";
    case Greeting::helo:
      return "helo";
    case Greeting::ehlo:
      return "ehlo";
  }
  CHECK(false);
}

Duration Profile::wait_after(std::size_t attempt) const {
  CHECK(attempt > 0);
  return attempt <= retry.size() ? retry[attempt - 1] : then;
}

std::vector<Duration> Profile::attempts() const {
  std::vector<Duration> times{Duration{}};
  while (times.back() < give_up && times.size() < attempts_max) {
    const Duration wait = wait_after(times.size());
    times.push_back(wait == Duration{} ? give_up : std::min(times.back() + wait, give_up));
  }
  return times;
}

Duration Profile::first_sign() const {
  if (!reports) return {};
  return delay_notice != Duration{} ? std::min(delay_notice, give_up) : give_up;
}

const Profile* Profiles::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(all, [name](const Profile& profile) { return profile.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> Profiles::names() const {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Profile& profile : all) names.push_back(profile.name);
  return names;
}

Profiles read_profiles(std::string_view text, std::string file) {
  Profiles profiles;
  settings::Findings findings;
  findings.file = std::move(file);
  findings.reference = "docs/lab.md";
  auto table = settings::parse_toml(text);
  if (!table) {
    table.error().file = findings.file;
    profiles.diagnostics.push_back(std::move(table.error()));
    return profiles;
  }
  Section root("", {}, &*table, findings);
  if (table->entries.empty() || table->entries.size() > profiles_max)
    root.problem("", {fmt::format("holds {} profiles", table->entries.size()),
                      fmt::format("give 1 to {}, each as a [section]", profiles_max)});
  for (const settings::TomlEntry& entry : table->entries)
    profiles.all.push_back(read_profile(entry.key, root.section(entry.key)));
  profiles.diagnostics = std::move(findings.diagnostics);
  return profiles;
}

const Profiles& shipped_profiles_read() {
  static const Profiles profiles = read_profiles(shipped_profiles().front().text, "profiles.toml");
  CHECK(!settings::has_errors(profiles.diagnostics));
  return profiles;
}

}  // namespace postern::upstream
