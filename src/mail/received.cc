#include "mail/received.h"

#include <fmt/format.h>

#include "mail/address.h"

namespace postern::mail {
namespace {

/// RFC 5322 section 2.1.1: lines should have at most 78 characters.
constexpr std::size_t line_length_max = 78;

/// Appends words, with a fold where the line would become too long.
class FoldedField {
 public:
  explicit FoldedField(std::string name) : text_(std::move(name)), column_(text_.size()) {}

  void add(const std::string& word) {
    const bool fold = column_ + 1 + word.size() > line_length_max;
    text_ += fold ? "\r\n\t" : " ";
    // A tab is shown as up to eight columns, yet counts as one character.
    column_ = (fold ? 1 : column_ + 1) + word.size();
    text_ += word;
  }
  std::string finish() { return std::move(text_) + "\r\n"; }

 private:
  std::string text_;
  std::size_t column_;
};

}  // namespace

std::string compose_received(const Received& received) {
  const std::string literal = received.client.literal();
  const bool usable = is_domain(received.helo) || is_address_literal(received.helo);
  FoldedField field("Received:");
  field.add("from " + (usable ? received.helo : literal));
  field.add(received.client_name.empty() ? fmt::format("({})", literal)
                                         : fmt::format("({} {})", received.client_name, literal));
  field.add("by " + received.by);
  field.add("with " + received.protocol);
  field.add("id " + received.id + (received.recipient.empty() ? ";" : ""));
  if (!received.recipient.empty()) field.add("for <" + received.recipient + ">;");
  field.add(format_rfc5322(received.when));
  return field.finish();
}

std::string protocol_word(bool extended, bool encrypted) {
  // RFC 3848 section 1: a session under STARTTLS is ESMTPS; plain HELO has no such word.
  if (!extended) return "SMTP";
  return encrypted ? "ESMTPS" : "ESMTP";
}

}  // namespace postern::mail
