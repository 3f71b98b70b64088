#include "dsn/wording.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "dsn/shipped_wordings.h"
#include "dsn/text.h"

namespace postern::dsn {
namespace {

enum class PerStatus : std::uint8_t { no, yes };

// Every section there is, with what it may fill in.
struct SectionKind {
  std::string_view name;
  PerStatus per_status;
  std::string_view placeholders;  // separated by spaces
};
constexpr std::string_view of_message = "hostname postmaster sender id arrived";
constexpr std::string_view of_report = "hostname postmaster sender id arrived recipients";
constexpr std::string_view of_cause =
    "hostname remote reply reason status retry_until last_attempt";
constexpr std::string_view of_group = "count";
constexpr std::array<SectionKind, 20> kinds{{
    {"subject.failed", PerStatus::no, of_message},
    {"subject.delayed", PerStatus::no, of_message},
    {"subject.delivered", PerStatus::no, of_message},
    {"subject.postmaster", PerStatus::no, of_message},
    {"failed", PerStatus::no, of_report},
    {"delayed", PerStatus::no, of_report},
    {"delivered", PerStatus::no, of_report},
    {"postmaster", PerStatus::no, of_report},
    {"group.many", PerStatus::no, of_group},
    {"group.alike", PerStatus::no, of_group},
    {"group.more", PerStatus::no, of_group},
    {"cause.expired", PerStatus::no, of_cause},
    {"cause.refused", PerStatus::yes, of_cause},
    {"cause.local", PerStatus::yes, of_cause},
    {"cause.delivered", PerStatus::no, of_cause},
    {"cause.relayed", PerStatus::no, of_cause},
    {"cause.expanded", PerStatus::no, of_cause},
    {"cause.delayed", PerStatus::no, of_cause},
    {"advice", PerStatus::yes, of_cause},
    {"advice.expired", PerStatus::no, of_cause},
}};

bool holds_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto space = std::min(words.find(' '), words.size());
    if (words.substr(0, space) == word) return true;
    words.remove_prefix(std::min(space + 1, words.size()));
  }
  return false;
}

// "5.1" and "5.1.1": RFC 3463 class and subject, with or without the detail.
bool is_status_or_class(std::string_view text) {
  std::size_t dots = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '.' && digits > 0) {
      ++dots;
      digits = 0;
    } else if (ascii_digit(c) && digits < 3) {
      ++digits;
    } else {
      return false;
    }
  }
  return digits > 0 && (dots == 1 || dots == 2) && text[1] == '.' && text[0] >= '2' &&
         text[0] <= '5';
}

const SectionKind* kind_of(std::string_view name) {
  for (const SectionKind& kind : kinds) {
    if (kind.name == name) return &kind;
    if (kind.per_status == PerStatus::yes && name.starts_with(kind.name) &&
        name.substr(kind.name.size()).starts_with('.') &&
        is_status_or_class(name.substr(kind.name.size() + 1)))
      return &kind;
  }
  return nullptr;
}

std::string known_sections() {
  std::string names;
  for (const SectionKind& kind : kinds) names += fmt::format(" {}", kind.name);
  return names;
}

std::string in_braces(std::string_view words) {
  std::string list;
  while (!words.empty()) {
    const auto space = std::min(words.find(' '), words.size());
    list += fmt::format("{}{{{}}}", list.empty() ? "" : " ", words.substr(0, space));
    words.remove_prefix(std::min(space + 1, words.size()));
  }
  return list;
}

constexpr std::string_view recipients_line = "{recipients}";

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = without_line_end(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

class TemplateReader {
 public:
  using Sections = std::map<std::string, std::string, std::less<>>;

  std::expected<Sections, std::vector<WordingProblem>> read(std::string_view text) {
    // A byte order mark, as some editors write it.
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      ++line_number_;
      take(next_line(text));
    }
    end_section();
    if (problems_.empty()) return std::move(sections_);
    return std::unexpected(std::move(problems_));
  }

 private:
  void take(std::string_view line) {
    if (!readable(line)) return;
    if (line.starts_with('#')) return;
    if (line.starts_with('[') && trim(line).ends_with(']')) {
      const std::string_view shown = trim(line);
      return begin_section(shown.substr(1, shown.size() - 2));
    }
    if (kind_ == nullptr) {
      if (trim(line).empty() || skipping_) return;
      skipping_ = true;
      return problem("text before the first section", "put [failed] or another above");
    }
    check_placeholders(line);
    text_ += fmt::format("{}\n", line);
  }

  bool readable(std::string_view line) {
    for (std::string_view rest = line; !rest.empty();) {
      const CodePoint point = code_point(rest);
      if (point.bytes == 0) {
        problem("is not UTF-8", "save the file in this encoding");
        return false;
      }
      if (point.value < 0x20 && point.value != '\t') {
        problem("holds a control character", "remove it");
        return false;
      }
      rest.remove_prefix(point.bytes);
    }
    return true;
  }

  void begin_section(std::string_view name) {
    end_section();
    kind_ = kind_of(name);
    // The text of a section that is none has no mistakes of its own.
    skipping_ = kind_ == nullptr;
    if (kind_ == nullptr)
      return problem(fmt::format("there is no section [{}]", printable(name, 60)),
                     "there are:" + known_sections());
    if (sections_.contains(name))
      problem(fmt::format("section [{}] is there twice", name), "keep one");
    name_ = name;
    section_line_ = line_number_;
    text_.clear();
    recipients_count_ = 0;
  }

  void end_section() {
    if (kind_ == nullptr) return;
    while (text_.starts_with('\n')) text_.erase(0, 1);
    while (text_.ends_with('\n')) text_.pop_back();
    const bool lists = holds_word(kind_->placeholders, "recipients");
    if (lists && recipients_count_ != 1)
      problem_at(section_line_, fmt::format("section [{}] needs {} once", name_, recipients_line),
                 "put it on a line of its own");
    if (kind_->name.starts_with("subject.") && (text_.empty() || text_.contains('\n')))
      problem_at(section_line_, fmt::format("section [{}] must be one line of text", name_),
                 "write what the subject shall be");
    sections_.emplace(name_, std::move(text_));
  }

  void check_placeholders(const std::string_view whole) {
    std::string_view line = whole;
    for (auto open = line.find('{'); open != std::string_view::npos; open = line.find('{')) {
      line.remove_prefix(open);
      if (line.starts_with("{{")) {
        line.remove_prefix(2);
        continue;
      }
      const auto close = line.find('}');
      const std::string_view name =
          close == std::string_view::npos ? line.substr(1) : line.substr(1, close - 1);
      if (close == std::string_view::npos || !holds_word(kind_->placeholders, name))
        problem(fmt::format("unknown placeholder {{{}}}", printable(name, 40)),
                fmt::format("section [{}] knows {}, and {{{{ for a brace", name_,
                            in_braces(kind_->placeholders)));
      if (close == std::string_view::npos) return;
      if (name == "recipients" && holds_word(kind_->placeholders, name)) {
        ++recipients_count_;
        if (trim(whole) != recipients_line)
          problem("{recipients} stands within a line", "it must stand on a line of its own");
      }
      line.remove_prefix(close + 1);
    }
  }

  void problem(std::string what, std::string advice) {
    problem_at(line_number_, std::move(what), std::move(advice));
  }
  void problem_at(std::size_t line, std::string what, std::string advice) {
    // What is wrong with a section as a whole is known at its end, and told at its beginning.
    const auto behind = std::ranges::upper_bound(problems_, line, {}, &WordingProblem::line);
    problems_.insert(behind, {line, std::move(what), std::move(advice)});
    if (problems_.size() > wording_problems_max) problems_.pop_back();
  }

  Sections sections_;
  std::vector<WordingProblem> problems_;
  const SectionKind* kind_ = nullptr;
  bool skipping_ = false;  // text of no section was told already
  std::string name_;
  std::string text_;
  std::size_t line_number_ = 0;
  std::size_t section_line_ = 0;
  std::size_t recipients_count_ = 0;
};

// Replaces placeholders; the text was checked when it was read.
std::string substituted(std::string_view text, const Values& values) {
  std::string out;
  while (!text.empty()) {
    const auto open = std::min(text.find('{'), text.size());
    out += text.substr(0, open);
    text.remove_prefix(open);
    if (text.starts_with("{{")) {
      out += '{';
      text.remove_prefix(2);
    } else if (!text.empty()) {
      const auto close = text.find('}');
      CHECK(close != std::string_view::npos);
      const std::string_view name = text.substr(1, close - 1);
      const auto value =
          std::ranges::find_if(values, [name](const auto& v) { return v.first == name; });
      if (value != values.end()) out += value->second;
      text.remove_prefix(close + 1);
    }
  }
  return out;
}

}  // namespace

std::expected<Wording, std::vector<WordingProblem>> Wording::parse(std::string_view text,
                                                                   std::string language,
                                                                   const Wording& base) {
  if (text.size() > wording_bytes_max)
    return std::unexpected(std::vector<WordingProblem>{
        {0, fmt::format("the template is larger than {} KiB", wording_bytes_max / 1024),
         "make it shorter"}});
  auto sections = TemplateReader().read(text);
  if (!sections) return std::unexpected(std::move(sections.error()));
  Wording wording;
  wording.language_ = std::move(language);
  wording.sections_ = *std::move(sections);
  for (const auto& [name, words] : base.sections_) wording.sections_.try_emplace(name, words);
  return wording;
}

const Wording* Wording::shipped(std::string_view language) {
  static const std::vector<Wording> all = [] {
    std::vector<Wording> wordings;
    for (const std::string_view known : shipped_languages()) {
      auto wording = parse(shipped_template(known), std::string(known), {});
      CHECK(wording);
      wordings.push_back(*std::move(wording));
    }
    return wordings;
  }();
  const auto found = std::ranges::find(all, language, &Wording::language);
  return found == all.end() ? nullptr : &*found;
}

std::span<const std::string_view> Wording::shipped_languages() {
  static constexpr std::array<std::string_view, 2> languages{"en", "de"};
  return languages;
}

std::string_view Wording::shipped_template(std::string_view language) {
  if (language == "en") return english_template;
  if (language == "de") return german_template;
  return {};
}

std::vector<std::string_view> Wording::lacking(const Wording& other) const {
  std::vector<std::string_view> names;
  for (const SectionKind& kind : kinds)
    if (other.sections_.contains(kind.name) && !sections_.contains(kind.name))
      names.push_back(kind.name);
  return names;
}

std::string_view Wording::text(std::string_view section, std::string_view status) const {
  std::string name(section);
  if (!status.empty()) name += fmt::format(".{}", status);
  while (true) {
    const auto found = sections_.find(name);
    if (found != sections_.end()) return found->second;
    if (name.size() <= section.size()) return {};
    // "advice.5.1.1", "advice.5.1", then "advice": a class alone is no section.
    name.resize(name.rfind('.'));
    if (name.size() == section.size() + 2) name = section;
  }
}

std::string filled(std::string_view text, const Values& values, std::string_view indent) {
  std::string out;
  std::string paragraph;
  const auto flush = [&] {
    out += wrapped(substituted(paragraph, values), indent);
    paragraph.clear();
  };
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (trim(line) == recipients_line) {
      flush();
      out += substituted(recipients_line, values);
    } else if (trim(line).empty()) {
      flush();
      out += "\r\n";
    } else if (line.starts_with(' ') || line.starts_with('\t')) {
      flush();
      const std::size_t spaces = std::min<std::size_t>(line.find_first_not_of(" \t"), 16);
      out +=
          wrapped(substituted(trim(line), values), std::string(indent) + std::string(spaces, ' '));
    } else {
      paragraph += fmt::format("{}{}", paragraph.empty() ? "" : " ", line);
    }
  }
  flush();
  return out;
}

std::string filled_line(std::string_view text, const Values& values) {
  return substituted(text, values);
}

}  // namespace postern::dsn
