#include "smtp/server_replies.h"

#include <fmt/format.h>

#include "smtp/client_attributes.h"

namespace postern::smtp::replies {
namespace {

// RFC 3463 section 3: the details that are used more than once.
constexpr EnhancedStatus done{2, 0, 0};
constexpr EnhancedStatus invalid_command{5, 5, 1};
constexpr EnhancedStatus syntax_error{5, 5, 2};
constexpr EnhancedStatus bad_argument{5, 5, 4};
constexpr EnhancedStatus content_error{5, 6, 0};
constexpr EnhancedStatus security{4, 7, 0};

}  // namespace

// RFC 2034 section 4: the greeting and the replies to HELO and EHLO carry no enhanced status.
Reply greeting(std::string_view hostname) {
  return {220, fmt::format("{} ESMTP Postern", hostname)};
}

Reply ehlo(std::string_view hostname, const Offers& offers) {
  Reply reply(250, std::string(hostname));
  reply.lines.emplace_back("PIPELINING");
  // RFC 1870 section 4: SIZE and the largest message in octets.
  reply.lines.push_back(fmt::format("SIZE {}", offers.message_bytes_max));
  reply.lines.emplace_back("8BITMIME");
  if (offers.starttls) reply.lines.emplace_back("STARTTLS");
  reply.lines.emplace_back("ENHANCEDSTATUSCODES");
  reply.lines.emplace_back("DSN");
  if (offers.xclient) reply.lines.push_back(fmt::format("XCLIENT {}", xclient_attributes));
  if (offers.xforward) reply.lines.push_back(fmt::format("XFORWARD {}", xforward_attributes));
  return reply;
}

Reply ok() {
  return {250, done, "Ok"};
}
Reply sender_ok() {
  return {250, {2, 1, 0}, "Sender ok"};
}
Reply recipient_ok() {
  return {250, {2, 1, 5}, "Recipient ok"};
}
Reply start_data() {
  return {354, "End data with <CRLF>.<CRLF>"};
}
Reply ready_for_tls() {
  return {220, done, "Ready to start TLS"};
}
Reply goodbye(std::string_view hostname) {
  return {221, done, fmt::format("{} closing connection", hostname)};
}
Reply cannot_verify() {
  return {252, {2, 5, 2}, "Cannot verify a user here; send the message and see"};
}
Reply help() {
  return {214, done, "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP STARTTLS QUIT; see RFC 5321"};
}

Reply early_talker() {
  return {554, invalid_command, "You talked before the greeting"};
}
Reply line_too_long() {
  return {500, syntax_error, "Command line too long"};
}
Reply bare_line_feed() {
  return {500, syntax_error, "A line must end in <CRLF>, this one ended in a bare <LF>"};
}
Reply control_character() {
  return {501, syntax_error, "Control characters are not allowed in a command"};
}
Reply beyond_ascii() {
  return {500, syntax_error, "Characters beyond ASCII are not allowed in a command"};
}
Reply no_argument(std::string_view verb) {
  return {501, bad_argument, fmt::format("{} takes no argument", verb)};
}
Reply vrfy_syntax() {
  return {501, bad_argument, "Syntax: VRFY address"};
}
Reply only_quit() {
  return {503, invalid_command, "Bad sequence of commands: only QUIT is possible here"};
}
Reply greet_first() {
  return {503, invalid_command, "Send HELO or EHLO first"};
}
Reply mail_first() {
  return {503, invalid_command, "Send MAIL first"};
}
Reply nested_mail() {
  return {503, invalid_command, "A transaction is under way; end it or send RSET"};
}
Reply not_trusted(std::string_view verb) {
  return {550, {5, 7, 0}, fmt::format("You may not use {} here", verb)};
}
Reply within_transaction(std::string_view verb) {
  return {503, invalid_command, fmt::format("{} is not for the middle of a transaction", verb)};
}
Reply no_valid_recipients() {
  return {554, invalid_command, "No valid recipients"};
}
Reply too_many_recipients() {
  return {452, {4, 5, 3}, "Too many recipients; send the rest in another transaction"};
}
Reply message_too_big(std::uint64_t message_bytes_max) {
  return {552, {5, 3, 4}, fmt::format("Message too big; at most {} bytes", message_bytes_max)};
}
Reply content_fault(DotReader::Fault fault) {
  switch (fault) {
    case DotReader::Fault::bare_cr:
      return {554, content_error, "Message refused: bare <CR>; lines must end in <CRLF>"};
    case DotReader::Fault::bare_lf:
      return {554, content_error, "Message refused: bare <LF>; lines must end in <CRLF>"};
    case DotReader::Fault::nul:
      return {554, content_error, "Message refused: it contains a NUL character"};
    case DotReader::Fault::line_too_long:
    case DotReader::Fault::none:
      break;
  }
  return {554, content_error, "Message refused: a line is too long"};
}
Reply not_offered() {
  return {502, invalid_command, "Command not offered here"};
}
Reply unknown_command() {
  return {500, invalid_command, "Unknown command"};
}
Reply tls_already() {
  return {503, invalid_command, "TLS is already active"};
}
Reply starttls_injection() {
  return {554, invalid_command, "Nothing may follow STARTTLS before the handshake"};
}
Reply foreign_protocol() {
  return {554, invalid_command, "This is an SMTP server"};
}
Reply too_many_errors() {
  return {421, security, "Too many errors"};
}
Reply timeout(std::string_view hostname) {
  return {421, {4, 4, 2}, fmt::format("{} waited too long, closing connection", hostname)};
}
Reply shutting_down(std::string_view hostname) {
  return {421, {4, 3, 2}, fmt::format("{} is shutting down, try again later", hostname)};
}

}  // namespace postern::smtp::replies
