#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::smtp {

/// What is done with a CR or LF that is not part of CRLF.
enum class BareNewline : std::uint8_t {
  refuse,     ///< the message (or command) is refused
  normalize,  ///< it becomes CRLF in the content; it still never ends the data
};

/// RFC 5321 section 4.5.2: reads message content from a byte stream: finds the end of data and
/// removes the dot stuffing. Any chunking of the same bytes gives the same result; holds no
/// content.
///
/// Against smuggling (two hosts that disagree on where a message ends) only CRLF "." CRLF ends the
/// data, whatever the options; what is refused is read to that end, so that none of it is taken for
/// a command.
class DotReader {
 public:
  struct Options {
    BareNewline bare_newline = BareNewline::refuse;
    /// RFC 5321 section 4.5.3.1.6: at least 1000 octets, CRLF included.
    std::size_t line_bytes_max = 1 << 20;
  };
  /// The first thing found for which the content must be refused.
  enum class Fault : std::uint8_t { none, bare_cr, bare_lf, nul, line_too_long };

  DotReader() = default;
  explicit DotReader(Options options) : options_(options) {}

  /// Takes bytes up to the end of data and returns how many. Appends the content to `out`; nothing
  /// more is appended once there is a fault.
  std::size_t feed(std::string_view bytes, std::string& out);
  [[nodiscard]] bool ended() const { return state_ == State::ended; }
  [[nodiscard]] Fault fault() const { return fault_; }

 private:
  enum class State : std::uint8_t {
    line_start,  ///< behind CRLF, or at the very start
    dot,         ///< "." at the start of a line
    dot_cr,      ///< the same and CR
    in_line,     ///< anywhere else, also behind a bare CR or LF: a dot there means nothing
    cr,          ///< behind a CR
    ended
  };
  std::size_t take_run(std::string_view bytes, std::string& out);
  void step(char c, std::string& out);
  void on_dot(char c, std::string& out);
  void on_dot_cr(char c, std::string& out);
  void on_cr(char c, std::string& out);
  void on_text(char c, std::string& out);
  void put(std::string_view text, std::string& out);
  void bare(Fault fault, std::string& out);
  void set_fault(Fault fault);

  Options options_;
  State state_ = State::line_start;
  Fault fault_ = Fault::none;
  std::size_t line_bytes_ = 0;
};

/// RFC 5321 section 4.5.2: writes content for DATA: stuffs dots at line starts and ends the data.
class DotWriter {
 public:
  /// Appends the stuffed form of `content`, whose lines end in CRLF, to `out`. In any chunks.
  void write(std::string_view content, std::string& out);
  /// Appends the end of data; adds the last line's CRLF when the content lacked it.
  void finish(std::string& out);

 private:
  bool line_start_ = true;
  char last_ = '\n';
};

}  // namespace postern::smtp
