#pragma once

#include <cstdint>
#include <string_view>

namespace postern::policy {

/// What is done with a client, or with one recipient of its mail.
enum class Action : std::uint8_t { accept, tag, reply_450, reply_451, reply_550 };
/// "accept", "tag", "450", "451", "550".
std::string_view action_name(Action action);
[[nodiscard]] constexpr bool is_reply(Action action) {
  return action >= Action::reply_450;
}

}  // namespace postern::policy
