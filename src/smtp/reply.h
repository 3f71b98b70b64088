#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/enhanced_status.h"

namespace postern::smtp {

/// RFC 5321 section 4.5.3.1.5: a reply line has at least 512 octets; real servers write more.
inline constexpr std::size_t reply_line_bytes_max = 4096;
/// Of one multi-line reply; RFC 5321 names no number, an EHLO reply has about twenty.
inline constexpr std::size_t reply_lines_max = 128;

/// RFC 5321 section 4.2: an answer, with RFC 2034's enhanced status.
struct Reply {
  int code = 0;  ///< 200 to 599
  std::optional<EnhancedStatus> enhanced;
  std::vector<std::string> lines;  ///< text without code and enhanced status; at least one

  Reply() = default;
  Reply(int reply_code, std::string text) : code(reply_code) { lines.push_back(std::move(text)); }
  Reply(int reply_code, EnhancedStatus status, std::string text)
      : code(reply_code), enhanced(status) {
    lines.push_back(std::move(text));
  }
  /// From one line of text, "450 4.7.25 Client host rejected"; nullopt when it does not begin with
  /// a reply code.
  static std::optional<Reply> parse_line(std::string_view line);

  [[nodiscard]] bool is_positive() const { return code >= 200 && code < 400; }
  [[nodiscard]] bool is_temporary() const { return code >= 400 && code < 500; }
  [[nodiscard]] bool is_permanent() const { return code >= 500 && code < 600; }

  /// As it goes over the wire, each line with CRLF. Bytes that would break the protocol (CR, LF,
  /// controls, beyond ASCII) become "?", longer lines are cut: no text can forge a second reply.
  [[nodiscard]] std::string format() const;
  /// On one line, for people and for DSNs: "550 5.1.1 No such user here; ask the postmaster".
  [[nodiscard]] std::string text() const;

  bool operator==(const Reply&) const = default;
};

/// Reads replies from a byte stream, in any chunks, for the client. One reader serves a whole
/// connection. Lenient as RFC 5321 section 4.2 asks of clients: a lone LF ends a line, the text may
/// be missing.
class ReplyReader {
 public:
  enum class State : std::uint8_t {
    incomplete,  ///< more bytes are needed
    complete,    ///< take() gives the reply
    malformed,   ///< no reply, or a bound was passed; the connection is of no further use
  };

  /// Takes bytes up to the end of one reply and returns how many; the rest belongs to the next
  /// reply. Takes nothing when the state is not `incomplete`.
  std::size_t feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  /// The reply, after `complete`; the reader then waits for the next.
  Reply take();
  /// Whether part of a reply has been read.
  [[nodiscard]] bool in_middle() const { return !line_.empty() || reply_.code != 0; }

 private:
  void end_line();

  State state_ = State::incomplete;
  std::string line_;
  Reply reply_;
};

}  // namespace postern::smtp
