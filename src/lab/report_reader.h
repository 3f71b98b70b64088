#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::lab {

/// A report as its reader's mail program sees it.
struct ReadReport {
  std::string from;
  std::string subject;
  std::string reporter;  ///< the host that wrote it
  std::string kind;      ///< "failure", "delay", or another of RFC 3464's actions
  std::string about;     ///< the recipient; empty: it does not say so in a form for programs
  std::string text;      ///< its first text part, LF line ends
};

/// Reads a multipart/report, or a plain text that is one.
ReadReport read_report(std::string_view content);

/// A text, and which of its lines hold words of a reply.
struct QuotedText {
  bool found = false;  ///< the reply's whole text is there, however it is folded
  std::vector<std::string> lines;
  std::vector<bool> marked;  ///< one for each line
};
/// `reply` is "450 4.7.25 text"; the text is what is searched for.
QuotedText mark_quotes(std::string_view text, std::string_view reply);

}  // namespace postern::lab
