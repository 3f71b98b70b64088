#pragma once

#include <cstddef>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::dsn {

inline constexpr std::size_t wording_bytes_max = 64 * 1024;  ///< of one template file
inline constexpr std::size_t wording_problems_max = 20;      ///< that are told of one template

/// What is wrong with a template, and where.
struct WordingProblem {
  std::size_t line = 0;  ///< counted from 1; 0: the text as a whole
  std::string what;      ///< what is wrong
  std::string advice;    ///< what to do
};

/// What stands for a placeholder: {"remote", "mx.example.com"}.
using Values = std::vector<std::pair<std::string_view, std::string>>;

/// The words of reports in one language. A template is UTF-8 text of sections:
///
///     # a comment
///     [cause.refused]
///     The server {remote} refused the message: {reply}
///
/// A section's text goes up to the next section. Its lines are joined and wrapped; an empty line
/// ends a paragraph, and a line that starts with a space stays a line of its own. "{{" is a "{".
/// Sections that say something about a recipient may be given for one status or one class of them:
/// [advice.5.1.1], [advice.5.1]. `postern reports template en` prints a whole one to start from.
class Wording {
 public:
  /// Reads a template. Sections that it leaves out are those of `base`. Problems: all of them in
  /// the order of their lines, the first wording_problems_max.
  static std::expected<Wording, std::vector<WordingProblem>> parse(std::string_view text,
                                                                   std::string language,
                                                                   const Wording& base);
  /// The words that are shipped, for "en" and "de"; null for other languages. Lives for ever.
  static const Wording* shipped(std::string_view language);
  static std::span<const std::string_view> shipped_languages();
  /// The template that a shipped language is made of; empty for other languages.
  static std::string_view shipped_template(std::string_view language);

  /// RFC 5646 section 2.1: the language tag.
  [[nodiscard]] const std::string& language() const { return language_; }
  /// The sections of `other` for which this has no words of its own kind, without those for one
  /// status: what a reader of this language alone would miss.
  [[nodiscard]] std::vector<std::string_view> lacking(const Wording& other) const;
  /// The text of a section. With a status the most special one there is: "advice" and "5.1.1" look
  /// for advice.5.1.1, advice.5.1 and advice. Empty when there is none.
  [[nodiscard]] std::string_view text(std::string_view section, std::string_view status = {}) const;

  bool operator==(const Wording&) const = default;

 private:
  using Sections = std::map<std::string, std::string, std::less<>>;
  std::string language_;
  Sections sections_;
};

/// Fills in and wraps a section's text, CRLF line ends, each line after `indent`. The value of
/// "recipients" is put in as it is, in place of the line that names it; all others are wrapped with
/// the text.
std::string filled(std::string_view text, const Values& values, std::string_view indent = {});
/// The same as one line without a line end.
std::string filled_line(std::string_view text, const Values& values);

}  // namespace postern::dsn
