#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::smtp {

/// RFC 5321 section 4.5.3.1.4: at least 512 octets, CRLF included; extensions add to that (RFC 3461
/// section 4: 500 for ORCPT, 100 for ENVID; SIZE 26, BODY 17), and one bound for all commands is
/// simpler.
inline constexpr std::size_t command_line_bytes_max = 2048;
/// RFC 5321 section 4.5.3.1.6: at least 1000 octets. Lines are streamed, so a long one costs
/// nothing; the bound only tells text from binary.
inline constexpr std::size_t text_line_bytes_max = 1 << 20;
/// RFC 5321 section 4.5.3.1.7: at least 64 KiB. The default; configurable.
inline constexpr std::uint64_t message_bytes_max_default = 50 << 20;
inline constexpr std::uint64_t message_bytes_max_floor = 64 << 10;
/// RFC 5321 section 4.5.3.1.8: at least 100 recipients. The default; configurable.
inline constexpr std::size_t recipients_max_default = 1000;
inline constexpr std::size_t recipients_max_floor = 100;
/// Replies that are held back for one write while a client pipelines. More than this is written at
/// once, so that a client which never reads does not fill memory.
inline constexpr std::size_t replies_held_bytes_max = 8192;
/// Commands that do nothing (NOOP, RSET, VRFY, HELP, greetings) between two messages; each beyond
/// them counts as an error.
inline constexpr std::size_t idle_commands_max = 100;

/// RFC 5321 section 4.5.3.2.7: a server waits at least 5 minutes for the next command.
inline constexpr std::chrono::minutes command_timeout_default{5};
/// RFC 5321 section 4.5.3.2.5: the pause between two blocks of data is at least 3 minutes.
inline constexpr std::chrono::minutes data_timeout_default{3};
/// For one write of replies. RFC 5321 names no number for the server's side.
inline constexpr std::chrono::minutes write_timeout_default{5};
/// For one message's data as a whole: however slowly it trickles, it ends.
inline constexpr std::chrono::hours data_total_timeout_default{2};

/// RFC 3461 section 4.4: ENVID has at most 100 characters of xtext.
inline constexpr std::size_t envelope_id_bytes_max = 100;
/// RFC 3461 section 4.2: ORCPT has at most 500 characters.
inline constexpr std::size_t original_recipient_bytes_max = 500;

}  // namespace postern::smtp
