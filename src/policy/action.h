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

/// At which step of the session a client is told that it is refused, the earliest first. The
/// earlier it is, the less is known of the mail that is refused.
enum class AnswerAt : std::uint8_t { connect, ehlo, mail, rcpt };
/// "connect", "ehlo", "mail", "rcpt".
std::string_view answer_at_name(AnswerAt step);

}  // namespace postern::policy
