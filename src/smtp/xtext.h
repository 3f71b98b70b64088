#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::smtp {

/// RFC 3461 section 4: xtext, printable ASCII without "+" and "=", other bytes as "+HH".
std::string encode_xtext(std::string_view text);
/// nullopt when it is not xtext (also for lower-case hex digits).
std::optional<std::string> decode_xtext(std::string_view text);

}  // namespace postern::smtp
