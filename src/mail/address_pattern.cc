#include "mail/address_pattern.h"

#include "base/text.h"

namespace postern::mail {

bool matches_pattern(std::string_view asked, std::string_view address) {
  if (asked == "<>") return address.empty();
  if (!asked.starts_with('@')) return equal_ignoring_case(asked, address);
  const std::size_t at = address.rfind('@');
  return at != std::string_view::npos && equal_ignoring_case(asked, address.substr(at));
}

}  // namespace postern::mail
