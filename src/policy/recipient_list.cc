#include "policy/recipient_list.h"

#include <algorithm>
#include <expected>
#include <limits>

#include "base/text.h"

namespace postern::policy {
namespace {

/// How an address stands in a list: "local part without quoting, lower case" "@" "domain". The
/// domain comes last and has no "@", so that no two mailboxes are the same text.
std::string key_of(std::string_view local_part, std::string_view domain) {
  std::string key = to_lower(local_part);
  key += '@';
  key += mail::normalize_domain(domain);
  return key;
}

/// Up to the first blank outside quotes.
std::string_view first_word(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && quoted)
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted && (line[i] == ' ' || line[i] == '\t'))
      return line.substr(0, i);
  }
  return line;
}

ListProblem problem_of(std::string_view word, mail::AddressError error) {
  const std::string shown = "\"" + printable(word, 100) + "\"";
  switch (error) {
    case mail::AddressError::too_long:
      return {0, shown + " is longer than an address may be", "correct or remove the line"};
    case mail::AddressError::non_ascii:
      return {0, shown + " has characters beyond ASCII",
              "remove the line: such addresses (SMTPUTF8) are not taken; write a domain in its "
              "form that begins with xn--"};
    case mail::AddressError::syntax:
      break;
  }
  if (word.find('@') == std::string_view::npos)
    return {0, shown + " has no domain", "write one address a line, such as \"bob@example.com\""};
  return {0, shown + " is not a mail address",
          "write one address a line, such as \"bob@example.com\", or \"@example.com\" for every "
          "address of a domain"};
}

std::expected<std::string, ListProblem> key_of_line(std::string_view word) {
  if (word.starts_with('@')) {
    const std::string domain = mail::normalize_domain(word.substr(1));
    if (!mail::is_domain(domain))
      return std::unexpected(problem_of(word, mail::AddressError::syntax));
    return "@" + domain;
  }
  const auto mailbox = mail::parse_mailbox(word);
  if (!mailbox) return std::unexpected(problem_of(word, mailbox.error()));
  // "postmaster" alone needs no list; "" before the "@" would be the key of the whole domain.
  if (mailbox->domain.empty() || mailbox->local_part_value().empty())
    return std::unexpected(problem_of(word, mail::AddressError::syntax));
  return key_of(mailbox->local_part_value(), mailbox->domain);
}

}  // namespace

std::string_view RecipientList::Content::at(std::size_t index) const {
  const std::uint32_t begin = index == 0 ? 0 : ends[index - 1];
  return std::string_view(text).substr(begin, ends[index] - begin);
}

bool RecipientList::Content::has(std::string_view key) const {
  std::size_t low = 0;
  std::size_t high = ends.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (at(middle) < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low < ends.size() && at(low) == key;
}

RecipientList::Parsed RecipientList::parse(std::string_view text) {
  static_assert(bytes_max < std::numeric_limits<std::uint32_t>::max());
  Parsed parsed;
  const auto object = [&parsed](std::size_t line, ListProblem problem) {
    problem.line = line;
    if (++parsed.problems_count <= Parsed::problems_max)
      parsed.problems.push_back(std::move(problem));
  };
  if (text.size() > bytes_max) {
    object(1, {0, "the list is larger than 64 MiB", "is it the right file?"});
    return parsed;
  }
  std::vector<std::string> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto key = key_of_line(first_word(line));
    if (!key) {
      object(number, std::move(key.error()));
    } else if (keys.size() == addresses_max) {
      object(number, {0, "there are more than 1000000 addresses",
                      "use check = \"probe\", or \"@example.com\" for a whole domain"});
      break;
    } else {
      keys.push_back(std::move(*key));
    }
  }
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  auto content = std::make_shared<Content>();
  content->ends.reserve(keys.size());
  for (const std::string& key : keys) {
    content->text += key;
    content->ends.push_back(static_cast<std::uint32_t>(content->text.size()));
  }
  content->text.shrink_to_fit();
  parsed.list.content_ = std::move(content);
  return parsed;
}

bool RecipientList::contains(const mail::Mailbox& mailbox, std::string_view delimiter) const {
  if (!content_) return false;
  const std::string local_part = mailbox.local_part_value();
  if (content_->has(key_of(local_part, mailbox.domain))) return true;
  if (content_->has(key_of({}, mailbox.domain))) return true;
  if (delimiter.empty()) return false;
  const std::size_t at = local_part.find(delimiter);
  // "+news" alone would leave the key of the whole domain.
  if (at == std::string::npos || at == 0) return false;
  return content_->has(key_of(std::string_view(local_part).substr(0, at), mailbox.domain));
}

bool RecipientList::names_domain(std::string_view domain) const {
  const bool below = domain.starts_with('.');
  const std::string wanted = below ? to_lower(domain) : "@" + mail::normalize_domain(domain);
  for (std::size_t i = 0; i < size(); ++i)
    if (content_->at(i).ends_with(wanted)) return true;
  return false;
}

std::size_t RecipientList::size() const {
  return content_ ? content_->ends.size() : 0;
}

bool operator==(const RecipientList& a, const RecipientList& b) {
  if (a.content_ == b.content_ || a.size() + b.size() == 0) return true;
  return a.content_ && b.content_ && *a.content_ == *b.content_;
}

}  // namespace postern::policy
