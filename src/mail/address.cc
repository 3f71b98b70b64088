#include "mail/address.h"

#include <algorithm>
#include <idn2.h>

#include "base/text.h"

namespace postern::mail {
namespace {

/// RFC 5322 section 3.2.3: atext.
bool is_atext(char c) {
  return ascii_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
}

bool has_non_ascii(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::unexpected<AddressError> refuse(AddressError error) {
  return std::unexpected(error);
}

/// Reads along a text; every step says whether it found what it wanted and moves only then.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return position_ == text_.size(); }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[position_]; }
  [[nodiscard]] std::string_view since(std::size_t start) const {
    return text_.substr(start, position_ - start);
  }
  bool take(char c) {
    if (at_end() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  // RFC 5321 section 4.1.2: Dot-string = Atom *("." Atom)
  bool take_dot_string() {
    do {
      const std::size_t atom = position_;
      while (!at_end() && is_atext(text_[position_])) ++position_;
      if (position_ == atom) return false;
    } while (take('.'));
    return true;
  }

  // RFC 5321 section 4.1.2: Quoted-string of qtextSMTP and quoted-pairSMTP, printable ASCII only.
  bool take_quoted_string() {
    if (!take('"')) return false;
    while (!at_end() && text_[position_] != '"') {
      if (text_[position_] == '\\') ++position_;
      if (at_end() || !ascii_printable(text_[position_])) return false;
      ++position_;
    }
    return take('"');
  }

  /// A name or an address literal: up to what cannot be part of one, then checked as a whole.
  bool take_domain() {
    const std::size_t start = position_;
    if (peek() == '[') {
      const std::size_t end = text_.find(']', position_);
      if (end == std::string_view::npos) return false;
      position_ = end + 1;
      return is_address_literal(since(start));
    }
    while (!at_end() && (ascii_alnum(text_[position_]) || std::string_view("-._").contains(peek())))
      ++position_;
    return is_domain(since(start));
  }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

/// `local-part "@" domain` at the cursor.
std::expected<Mailbox, AddressError> take_mailbox(Cursor& cursor) {
  Mailbox mailbox;
  const std::size_t start = cursor.position();
  const bool read = cursor.peek() == '"' ? cursor.take_quoted_string() : cursor.take_dot_string();
  if (!read) return refuse(AddressError::syntax);
  mailbox.local_part = cursor.since(start);
  if (mailbox.local_part.size() > local_part_bytes_max) return refuse(AddressError::too_long);
  if (!cursor.take('@')) {
    // Without a domain there is nobody else whom every host must know.
    // RFC 5321 section 4.5.1: "postmaster" alone is valid in any case.
    if (mailbox.is_postmaster()) return mailbox;
    return refuse(AddressError::syntax);
  }
  const std::size_t domain = cursor.position();
  if (!cursor.take_domain()) return refuse(AddressError::syntax);
  mailbox.domain = cursor.since(domain);
  return mailbox;
}

/// RFC 5321 section 4.1.2: A-d-l ":", "@a,@b:". Nothing of it is kept.
bool take_source_route(Cursor& cursor) {
  do {
    if (!cursor.take('@') || !cursor.take_domain()) return false;
  } while (cursor.take(','));
  return cursor.take(':');
}

/// The text up to the ">" that ends the path, quotes respected; the whole text without one.
std::string_view path_text(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == '>' && !quoted)
      return text.substr(0, i + 1);
  }
  return text;
}

std::expected<Path, AddressError> parse_path(std::string_view text) {
  const std::string_view path = path_text(text);
  if (has_non_ascii(path)) return refuse(AddressError::non_ascii);
  if (path.size() > path_bytes_max) return refuse(AddressError::too_long);
  Cursor cursor(path);
  if (!cursor.take('<')) return refuse(AddressError::syntax);
  if (cursor.peek() == '@' && !take_source_route(cursor)) return refuse(AddressError::syntax);
  auto mailbox = take_mailbox(cursor);
  if (!mailbox) return refuse(mailbox.error());
  if (!cursor.take('>')) return refuse(AddressError::syntax);
  return Path{std::move(*mailbox), false, cursor.position()};
}

}  // namespace

std::string Mailbox::address() const {
  return domain.empty() ? local_part : local_part + "@" + domain;
}

std::string Mailbox::local_part_value() const {
  if (local_part.size() < 2 || local_part.front() != '"') return local_part;
  std::string value;
  for (std::size_t i = 1; i + 1 < local_part.size(); ++i) {
    if (local_part[i] == '\\' && i + 2 < local_part.size()) ++i;
    value += local_part[i];
  }
  return value;
}

bool Mailbox::is_postmaster() const {
  return equal_ignoring_case(local_part_value(), "postmaster");
}

std::expected<Mailbox, AddressError> parse_mailbox(std::string_view text) {
  if (has_non_ascii(text)) return refuse(AddressError::non_ascii);
  if (text.size() + 2 > path_bytes_max) return refuse(AddressError::too_long);
  Cursor cursor(text);
  auto mailbox = take_mailbox(cursor);
  if (mailbox && !cursor.at_end()) return refuse(AddressError::syntax);
  return mailbox;
}

std::expected<Path, AddressError> parse_reverse_path(std::string_view text) {
  // RFC 5321 section 4.1.2: "<>" is the null reverse path.
  if (text.starts_with("<>")) return Path{{}, true, 2};
  auto path = parse_path(text);
  // RFC 5321 section 4.1.1.2: a sender needs its domain, also the postmaster.
  if (path && path->mailbox.domain.empty()) return refuse(AddressError::syntax);
  return path;
}

std::expected<Path, AddressError> parse_forward_path(std::string_view text) {
  return parse_path(text);
}

bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > domain_bytes_max) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > label_bytes_max) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    // DEVIATION(RFC 5321 section 4.1.2): underscores are no letters there, but real senders' names
    // carry them, and refusing those gains nothing.
    if (!std::ranges::all_of(label, [](char c) { return ascii_alnum(c) || c == '-' || c == '_'; }))
      return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<IpAddress> parse_address_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return std::nullopt;
  std::string_view inner = text.substr(1, text.size() - 2);
  const bool tagged = starts_with_ignoring_case(inner, "IPv6:");
  if (tagged) inner.remove_prefix(5);
  // Colons without the tag, or a dotted quad behind it, are neither form.
  if (tagged != inner.contains(':')) return std::nullopt;
  return IpAddress::parse(inner);
}

bool is_address_literal(std::string_view text) {
  if (parse_address_literal(text)) return true;
  if (text.size() < 5 || text.size() > domain_bytes_max) return false;
  if (text.front() != '[' || text.back() != ']') return false;
  const std::string_view inner = text.substr(1, text.size() - 2);
  const std::size_t colon = inner.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == inner.size()) return false;
  const std::string_view tag = inner.substr(0, colon);
  if (equal_ignoring_case(tag, "IPv6") || tag.back() == '-') return false;
  // An IPv6 address without its tag looks like one that is named "2001".
  if (!ascii_alpha(tag.front())) return false;
  // RFC 5321 section 4.1.3: General-address-literal = Standardized-tag ":" 1*dcontent
  // An "@" in it would make the domain another one for whoever looks for the last "@".
  return std::ranges::all_of(tag, [](char c) { return ascii_alnum(c) || c == '-'; }) &&
         std::ranges::all_of(inner.substr(colon + 1), [](char c) {
           return c > ' ' && c < 0x7f && !std::string_view("[]\\@<>\"").contains(c);
         });
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string_view local_part_of(std::string_view address) {
  return address.substr(0, address.rfind('@'));
}

std::string normalize_domain(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (!has_non_ascii(domain) || domain.size() > domain_bytes_max) return to_lower(domain);
  char* ascii = nullptr;
  const std::string text(domain);
  const int status = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(text.c_str()),
                                    reinterpret_cast<std::uint8_t**>(&ascii),
                                    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  if (status != IDN2_OK || ascii == nullptr) return to_lower(domain);
  std::string normal(ascii);
  idn2_free(ascii);
  return to_lower(normal);
}

}  // namespace postern::mail
