#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address.h"

namespace postern::policy {

/// What is wrong with one line of a list, for the operator.
struct ListProblem {
  std::size_t line = 0;  ///< from 1
  std::string what;
  std::string advice;
};

/// A static list of addresses: who is a recipient of a domain. A value, cheap to copy: the content
/// is shared and never changes. Two with the same addresses are equal.
///
/// RFC 5321 section 2.4: only the host of a mailbox may interpret its local part, and that section
/// tells hosts not to rely on its case. The list stands for that host, so that addresses are
/// compared in any case, quoted or not, with the domain as mail::normalize_domain gives it.
class RecipientList {
 public:
  /// Bounds of one list; its memory is the addresses' length and 4 bytes for each.
  static constexpr std::size_t addresses_max = 1'000'000;
  static constexpr std::size_t bytes_max = 64 << 20;

  RecipientList() = default;

  struct Parsed;
  /// Reads text of one address a line: "bob@example.com", or "@example.com" for every address of a
  /// domain. What stands behind a blank is not looked at, so that the left side of Postfix's
  /// relay_recipient_maps reads as it is. Empty lines and those that begin with "#" count for
  /// nothing.
  static Parsed parse(std::string_view text);

  /// Whether the mailbox stands in the list, itself or by its domain; with a delimiter ("+" for
  /// "bob+news" as "bob") also without what follows it.
  [[nodiscard]] bool contains(const mail::Mailbox& mailbox, std::string_view delimiter) const;
  /// Whether an address of this domain (".example.com": of one below it) is in the list.
  [[nodiscard]] bool names_domain(std::string_view domain) const;
  [[nodiscard]] std::size_t size() const;

  friend bool operator==(const RecipientList& a, const RecipientList& b);

 private:
  /// Addresses in `text` one after the other, sorted; `ends` tells where each ends.
  struct Content {
    std::string text;
    std::vector<std::uint32_t> ends;
    [[nodiscard]] std::string_view at(std::size_t index) const;
    [[nodiscard]] bool has(std::string_view key) const;
    bool operator==(const Content&) const = default;
  };

  std::shared_ptr<const Content> content_;  // nullptr: empty
};

struct RecipientList::Parsed {
  /// More are counted, not kept.
  static constexpr std::size_t problems_max = 10;

  RecipientList list;
  std::vector<ListProblem> problems;
  std::size_t problems_count = 0;
};

}  // namespace postern::policy
