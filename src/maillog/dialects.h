#pragma once

#include <optional>
#include <string_view>

#include "maillog/entry.h"

namespace postern::maillog {

// What each program's messages mean. `entry` has its time and writer already.

/// `service`: "smtpd" of "postfix/submission/smtpd".
void read_postfix(std::string_view service, std::string_view message, Entry& entry);
void read_exim(std::string_view message, Entry& entry);
/// "1qZ7xT-0001Ab-2c", since 4.97 "1qZ7xT-0000000AbCd-2cDe".
bool is_exim_queue_id(std::string_view word);
void read_sendmail(std::string_view message, Entry& entry);

/// `text` up to `end`, which goes too; nullopt, and `text` as it was, when there is no `end`.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view end);
/// Takes `prefix` off; false when it is not there.
bool take(std::string_view& text, std::string_view prefix);
/// The address in "[192.0.2.1]", "[IPv6:2001:db8::1]", with or without brackets.
std::optional<IpAddress> address_in(std::string_view text);
/// "450 4.7.25 text": the codes into the entry, false when there is no code.
bool take_reply(std::string_view reply, Entry& entry);

}  // namespace postern::maillog
