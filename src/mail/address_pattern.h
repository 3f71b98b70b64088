#pragma once

#include <string_view>

namespace postern::mail {

/// Whether an address is one of those that are asked for: "a@example.com", all of "@example.com",
/// or "<>", the null reverse path, which is kept as an empty text. In any ASCII case.
bool matches_pattern(std::string_view asked, std::string_view address);

}  // namespace postern::mail
