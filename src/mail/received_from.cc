#include "mail/received_from.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/text.h"
#include "mail/header_reader.h"

namespace postern::mail {
namespace {

using Kind = ReceivedFrom::Kind;

constexpr ReceivedFrom unreadable{};
constexpr ReceivedFrom local{Kind::local, {}};
constexpr std::size_t comment_depth_max = 8;

ReceivedFrom from_address(std::optional<IpAddress> address) {
  return address ? ReceivedFrom{Kind::address, *address} : unreadable;
}

/// Walks over words and comments.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(trim(text)) {}

  std::string_view take_word() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_ = trim(rest_.substr(word.size()));
    return word;
  }
  [[nodiscard]] bool at_comment() const { return rest_.starts_with('('); }
  [[nodiscard]] bool at_word(std::string_view word) const {
    return equal_ignoring_case(rest_.substr(0, rest_.find_first_of(" \t")), word);
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  /// What stands in the comment's own parentheses, without comments inside it. Nothing when it has
  /// no end, or holds what programs read differently.
  std::optional<std::string> take_comment() {
    std::string text;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '\\' || c == '"') return std::nullopt;
      if (c == '(' && ++depth > comment_depth_max) return std::nullopt;
      if (depth == 1 && c != '(' && c != ')') text += c;
      if (c != ')' || --depth > 0) continue;
      rest_ = trim(rest_.substr(i + 1));
      return std::string(trim(text));
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

/// "192.0.2.7", "2001:db8::7", "IPv6:2001:db8::7", with or without a zone.
std::optional<IpAddress> parse_plain(std::string_view text) {
  if (starts_with_ignoring_case(text, "IPv6:")) text.remove_prefix(5);
  return IpAddress::parse(text.substr(0, text.find('%')));
}

ReceivedFrom bracketed(std::string_view text) {
  if (equal_ignoring_case(text, "local")) return local;
  return from_address(parse_plain(text));
}

bool is_literal(std::string_view word) {
  return word.size() > 2 && word.front() == '[' && word.back() == ']';
}

bool is_exim_item(std::string_view text) {
  static constexpr std::array<std::string_view, 3> keys{"helo=", "ident=", "port="};
  return std::ranges::any_of(keys, [text](std::string_view key) { return text.starts_with(key); });
}

/// Exim's "helo=a ident=b port=25": nothing in it can pass for an address that Exim wrote.
bool is_exim_list(std::string_view text) {
  Cursor cursor(text);
  while (!cursor.rest().empty())
    if (!is_exim_item(cursor.take_word())) return false;
  return true;
}

/// "[192.0.2.7]", "[192.0.2.7]:4711 helo=a", "name [192.0.2.7]", or "192.0.2.7" and
/// "ident@192.0.2.7" where `by` comes next.
ReceivedFrom in_comment(std::string_view text, bool by_is_next) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return unreadable;
    std::string_view behind = text.substr(end + 1);
    if (behind.starts_with(':')) {
      const std::size_t digits = behind.find_first_not_of("0123456789", 1);
      behind = digits == std::string_view::npos ? std::string_view() : behind.substr(digits);
    }
    if (!behind.empty() && (!behind.starts_with(' ') || !is_exim_list(behind))) return unreadable;
    return bracketed(text.substr(1, end - 1));
  }
  if (text.ends_with(']')) {
    // The last bracket is the server's: a name from the client's DNS comes before it.
    const std::size_t start = text.rfind('[');
    if (start == std::string_view::npos || text[start - 1] != ' ') return unreadable;
    return bracketed(text.substr(start + 1, text.size() - start - 2));
  }
  // A bare address could be HELO, unless nothing else comes that says who it was.
  if (!by_is_next) return unreadable;
  const std::size_t at = text.rfind('@');
  return from_address(parse_plain(at == std::string_view::npos ? text : text.substr(at + 1)));
}

/// Behind "from": the word, then comments.
ReceivedFrom from_clause(Cursor cursor) {
  const std::string_view word = cursor.take_word();
  if (!cursor.at_comment()) {
    const bool exim = cursor.at_word("by") && cursor.rest().contains("(Exim ");
    if (!exim) return unreadable;
    if (is_literal(word)) return bracketed(word.substr(1, word.size() - 2));
    return cursor.rest().contains(" with local ") ? local : unreadable;
  }
  auto comment = cursor.take_comment();
  if (!comment) return unreadable;
  // qmail: "from name (HELO a) (192.0.2.7) by".
  if (starts_with_ignoring_case(*comment, "HELO ") ||
      starts_with_ignoring_case(*comment, "EHLO ")) {
    if (!cursor.at_comment()) return unreadable;
    comment = cursor.take_comment();
    if (!comment) return unreadable;
  }
  // Exim, of a client without a name: "from [192.0.2.7] (helo=a) by". It can be told to take blanks
  // and brackets in HELO, so that the last of them need not be the server's.
  if (is_exim_item(*comment))
    return is_literal(word) && is_exim_list(*comment) ? bracketed(word.substr(1, word.size() - 2))
                                                      : unreadable;
  return in_comment(*comment, cursor.at_word("by"));
}

/// "SMTP", "ESMTPSA", "UTF8SMTP", "LMTP".
bool is_mail_protocol(std::string_view word) {
  const std::string lower = to_lower(word);
  return lower.contains("smtp") || lower.contains("lmtp");
}

/// Behind "by": what names nobody. Gmail hands over within itself by SMTP, and says so with its
/// address in place of a name; of others, whoever spoke SMTP may have come from anywhere, and was
/// left out (OpenSMTPD's mask-src).
ReceivedFrom by_clause(Cursor cursor) {
  if (parse_plain(cursor.take_word())) return local;
  for (bool with = false; !cursor.rest().empty();) {
    const std::string_view word = cursor.take_word();
    if (with && is_mail_protocol(word)) return unreadable;
    with = equal_ignoring_case(word, "with");
  }
  return local;
}

}  // namespace

ReceivedFrom parse_received_from(std::string_view value) {
  const std::string text = unfold(value, received_bytes_max);
  Cursor cursor(text);
  // Handed over within a host: qmail-queue's "(qmail 1 invoked ...)", Haraka's "(Haraka outbound)",
  // Sendmail's "(from user@localhost) by".
  const bool comment_first = cursor.at_comment();
  if (comment_first && !cursor.take_comment()) return unreadable;
  const std::string_view clause = cursor.take_word();
  if (equal_ignoring_case(clause, "by")) return by_clause(cursor);
  if (comment_first) return clause.empty() || clause.starts_with(';') ? local : unreadable;
  return equal_ignoring_case(clause, "from") ? from_clause(cursor) : unreadable;
}

void HopWalk::feed(std::string_view value) {
  if (state_ != State::walking) return;
  const ReceivedFrom from = parse_received_from(value);
  if (from.kind == Kind::unreadable) {
    state_ = State::unreadable;
  } else if (from.kind == Kind::address && !trusted_(from.address)) {
    state_ = State::found;
    hop_ = from.address;
  }
}

}  // namespace postern::mail
