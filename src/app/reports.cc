#include "app/reports.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

namespace fs = std::filesystem;
using dsn::Wording;
using settings::Section;

/// Each language makes a report longer by all that it says.
constexpr std::size_t languages_max = 8;
constexpr std::size_t directory_entries_max = 1000;
constexpr std::string_view extension = ".txt";

std::string shipped_list() {
  return fmt::format("{}", fmt::join(Wording::shipped_languages(), ", "));
}

const Wording& base_of(const std::string& language) {
  const Wording* shipped = Wording::shipped(to_lower(language));
  return shipped != nullptr ? *shipped : *Wording::shipped("en");
}

/// A file that no language asks for is more often a misspelt name than one that shall rest.
void warn_about_others(Section& section, const Configuration::Reports& reports) {
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator at(reports.templates, error), end; !error && at != end;
       at.increment(error)) {
    if (++seen > directory_entries_max) return;
    const fs::path& path = at->path();
    if (path.extension() != extension ||
        std::ranges::count(reports.languages, path.stem().string()) > 0)
      continue;
    section.problem_in_file(
        path.string(), 0,
        {"is not used: [reports] languages has no \"" + printable(path.stem().string(), 40) + "\"",
         "add it there, or move the file away"},
        Weight::warning);
  }
}

void take_language(Section& section, const std::string& language, Configuration::Reports& reports) {
  std::error_code error;
  const std::string path =
      reports.templates.empty()
          ? ""
          : (fs::path(reports.templates) / fmt::format("{}{}", language, extension)).string();
  // What cannot be looked at is not absent: the words that are shipped would hide the mistake.
  if (!path.empty() && (fs::exists(path, error) || error)) {
    std::vector<Diagnostic> diagnostics;
    if (auto wording = wording_of_file(path, language, diagnostics))
      reports.wordings.push_back(*std::move(wording));
    for (Diagnostic& d : diagnostics)
      section.problem_in_file(d.file, d.place.line, {std::move(d.what), std::move(d.advice)},
                              d.weight);
    return;
  }
  if (const Wording* shipped = Wording::shipped(to_lower(language))) {
    reports.wordings.push_back(*shipped);
    return;
  }
  section.problem(
      "languages",
      {path.empty()
           ? fmt::format("\"{}\" is not shipped, and templates names no directory", language)
           : fmt::format("\"{}\" is not shipped, and there is no {}", language, path),
       fmt::format("write a template for it, or use one of: {}", shipped_list())});
}

}  // namespace

settings::Parsed<std::string> parse_language(std::string_view text) {
  const auto wrong = [text] {
    return object("\"" + printable(text, 40) + "\" is not a language tag",
                  "write one such as \"en\", \"de\" or \"pt-BR\"");
  };
  // RFC 5646 section 2.1: subtags of up to eight letters and digits, the first of letters.
  constexpr std::size_t subtag_length_max = 8;
  constexpr std::size_t tag_length_max = 35;
  if (text.size() > tag_length_max || text.size() < 2) return wrong();
  std::size_t length = 0;
  bool first = true;
  for (const char c : text) {
    if (c == '-' && length > (first ? 1U : 0U)) {
      length = 0;
      first = false;
    } else if (!(first ? ascii_alpha(c) : ascii_alnum(c)) || ++length > subtag_length_max) {
      return wrong();
    }
  }
  if (length == 0) return wrong();
  return std::string(text);
}

settings::Parsed<std::string> read_template(const std::string& path) {
  if (auto readable = parse_readable_file(path); !readable)
    return std::unexpected(std::move(readable.error()));
  std::ifstream file(path, std::ios::binary);
  std::string text(dsn::wording_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::optional<Wording> wording_of_file(const std::string& path, const std::string& language,
                                       std::vector<Diagnostic>& diagnostics) {
  const auto problem = [&](Weight weight, std::size_t line, std::string what, std::string advice) {
    const Place place = line > 0 ? Place{static_cast<int>(line), 1} : Place{};
    diagnostics.push_back({weight, path, place, "", "", std::move(what), std::move(advice)});
  };
  const auto text = read_template(path);
  if (!text) {
    problem(Weight::error, 0, text.error().what, text.error().advice);
    return std::nullopt;
  }
  auto wording = Wording::parse(*text, language, base_of(language));
  if (!wording) {
    for (dsn::WordingProblem& p : wording.error())
      problem(Weight::error, p.line, std::move(p.what), std::move(p.advice));
    return std::nullopt;
  }
  if (Wording::shipped(to_lower(language)) == nullptr) {
    const auto alone = Wording::parse(*text, language, {});
    const auto lacking =
        alone ? alone->lacking(base_of(language)) : std::vector<std::string_view>();
    if (!lacking.empty())
      problem(Weight::warning, 0,
              fmt::format("lacks sections that reports will have in English: [{}]",
                          fmt::join(lacking, "] [")),
              "add them; `postern reports template en` prints all");
  }
  return *std::move(wording);
}

void read_reports(Section section, Configuration::Reports& reports) {
  section.list("languages", reports.languages, languages_max, parse_language);
  std::string templates;
  section.text("templates", templates);
  if (!templates.empty()) section.parsed("templates", reports.templates, parse_absolute_path);
  section.choice("double_bounce", reports.double_bounce,
                 {{"dead-letter", delivery::DoubleBounce::dead_letter},
                  {"postmaster", delivery::DoubleBounce::postmaster}});
  section.finish();
  if (reports.languages.empty()) {
    section.problem("languages", {"is empty: a report needs words", "write [\"en\"]"});
    return;
  }
  std::error_code error;
  if (!reports.templates.empty() && !fs::is_directory(reports.templates, error)) {
    section.problem("templates", {"\"" + printable(reports.templates, 100) + "\" is no directory",
                                  "give the directory that holds the templates"});
    return;
  }
  if (!reports.templates.empty()) {
    fs::directory_iterator readable(reports.templates, error);
    if (error)
      section.problem("templates", {"\"" + printable(reports.templates, 100) +
                                        "\" cannot be read: " + error.message(),
                                    "let the user that starts postern read it"});
  }
  reports.wordings.clear();
  for (const std::string& language : reports.languages) take_language(section, language, reports);
  if (!reports.templates.empty()) warn_about_others(section, reports);
}

}  // namespace postern::app
