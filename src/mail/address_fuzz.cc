#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mail/address.h"
#include "mail/authentication_results.h"
#include "mail/header_reader.h"

using namespace postern;

/// Bounds hold and what was read reads the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto mailbox = mail::parse_mailbox(text)) {
    CHECK(mailbox->address() == text);
    CHECK(text.size() <= mail::path_bytes_max);
    CHECK(mailbox->domain == mail::domain_of(mailbox->address()) || mailbox->domain.empty());
  }
  if (const auto path = mail::parse_forward_path(text)) {
    CHECK(path->length <= size && text[path->length - 1] == '>');
    const auto again = mail::parse_forward_path("<" + path->mailbox.address() + ">");
    CHECK(again && again->mailbox == path->mailbox);
  }
  if (const auto path = mail::parse_reverse_path(text)) CHECK(path->length <= size);
  (void)mail::normalize_domain(text);
  (void)mail::authserv_claim(text, "gw.example.com");
  mail::HeaderReader reader(text);
  std::size_t total = 0;
  while (const auto field = reader.next()) total += field->raw.size();
  CHECK(total <= reader.body_offset() && reader.body_offset() <= size);
  return 0;
}
