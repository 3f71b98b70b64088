#include "case_file.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "settings/section.h"

namespace postern::conformance {
namespace {

using settings::Section;

constexpr std::size_t cases_max = 1'000;
constexpr std::size_t signed_zones_max = 10;
constexpr std::uint64_t ttl_absent = UINT64_MAX;

settings::Parsed<std::string> any_text(std::string_view text) {
  return std::string(text);
}

/// Columns for readers; docs/conformance.md is made of them.
void skip_notes(Section& section) {
  std::string ignored;
  for (const char* key : {"section", "what", "why"}) section.text(key, ignored);
  Section peers = section.section("peers");
  for (const char* key : {"postfix", "postfix_reverse", "exim", "opensmtpd", "haraka"})
    peers.text(key, ignored);
  peers.finish();
}

template <typename T>
void take(Section& section, std::string_view key, Result<T> read, T& into) {
  if (read)
    into = *std::move(read);
  else
    section.problem(key, {read.error().what, "see src/dns/zone_text.h and testing/manners.h"});
}

Case read_case(Section section) {
  Case made;
  section.text("id", made.id);
  section.text("client", made.client);
  section.paragraph("zone", made.zone);
  std::string manners;
  section.paragraph("manners", manners);
  std::string forged;
  section.paragraph("forged", forged);
  section.flag("refuses_tcp", made.script.refuses_tcp);
  section.flag("silent", made.silent);
  section.flag("iterative", made.iterative);
  section.list("signed", made.script.signed_zones, signed_zones_max, any_text);
  take(section, "zone", dns::Zone::parse(made.zone), made.script.zone);
  take(section, "forged", dns::Zone::parse(forged), made.script.forged);
  take(section, "manners", dns::Manners::parse(manners), made.script.manners);
  made.script.authoritative = made.iterative;
  section.text("state", made.state);
  section.text("cause", made.cause);
  section.text("because", made.because);
  section.text("confirmed", made.confirmed);
  section.flag("secure", made.secure);
  std::uint64_t ttl = ttl_absent;
  section.integer("ttl", ttl, 0, UINT32_MAX);
  if (ttl != ttl_absent) made.ttl_seconds = static_cast<std::uint32_t>(ttl);
  skip_notes(section);
  section.finish();
  return made;
}

}  // namespace

bool Case::is_plain() const {
  return script.manners.empty() && script.signed_zones.empty() && !script.refuses_tcp;
}

Result<std::vector<Case>> read_cases(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto table = settings::parse_toml(text);
  if (!table) return operator_failure(Cause::damaged, path + ": " + table.error().text());
  settings::Findings findings;
  findings.file = path;
  Section root("", {}, &*table, findings);
  std::vector<Case> cases;
  for (Section& section : root.sections("case", cases_max))
    cases.push_back(read_case(std::move(section)));
  root.finish();
  if (!findings.diagnostics.empty())
    return operator_failure(Cause::damaged, findings.diagnostics.front().text());
  return cases;
}

}  // namespace postern::conformance
