#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "smtp/dot_stream.h"
#include "smtp/reply.h"

/// Every reply that the server machine gives by itself, in one place: code, enhanced status (RFC
/// 3463, RFC 5248) and words.
namespace postern::smtp::replies {

/// What EHLO announces beside what is always there.
struct Offers {
  std::uint64_t message_bytes_max = 0;
  bool starttls = false;
  bool xclient = false;
  bool xforward = false;
};

Reply greeting(std::string_view hostname);
Reply ehlo(std::string_view hostname, const Offers& offers);
Reply ok();
Reply sender_ok();
Reply recipient_ok();
Reply start_data();
Reply ready_for_tls();
Reply goodbye(std::string_view hostname);
Reply cannot_verify();
Reply help();

Reply early_talker();
Reply line_too_long();
Reply bare_line_feed();
Reply control_character();
Reply beyond_ascii();
Reply no_argument(std::string_view verb);
Reply vrfy_syntax();
Reply only_quit();
Reply greet_first();
Reply mail_first();
Reply nested_mail();
Reply not_trusted(std::string_view verb);
Reply within_transaction(std::string_view verb);
Reply no_valid_recipients();
Reply too_many_recipients();
Reply message_too_big(std::uint64_t message_bytes_max);
Reply content_fault(DotReader::Fault fault);
Reply not_offered();
Reply unknown_command();
Reply tls_already();
Reply starttls_injection();
Reply foreign_protocol();
Reply too_many_errors();
Reply timeout(std::string_view hostname);
Reply shutting_down(std::string_view hostname);

}  // namespace postern::smtp::replies
