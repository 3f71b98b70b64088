#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "mail/header_reader.h"

namespace postern::session {

/// Passes a message's content through while it arrives and works on its header section: removes
/// Authentication-Results fields that claim our name (RFC 8601 section 5), and whatever claims to
/// be our X-Postern-Unknown-IP, and counts Received fields (RFC 5321 section 6.3). The body passes
/// untouched. Any chunking gives the same. Holds one header field, at most held_bytes_max of it.
///
/// Only the empty line ends the header section here, not a line that is no field: readers behind us
/// may pass over such a line, and a forged result behind it would be believed.
///
/// What comes out stands behind fields of ours. Content whose first line is no field could go on
/// with the last of them, as a line that begins with a blank does, and forge our result in it: all
/// of it is body, and an empty line is put before it.
class TraceFilter {
 public:
  static constexpr std::size_t held_bytes_max = 16 * 1024;

  /// `on_received` is told the value of each Received field, in order; empty: nobody is.
  explicit TraceFilter(std::string authserv_id,
                       std::function<void(std::string_view)> on_received = {})
      : authserv_id_(std::move(authserv_id)), on_received_(std::move(on_received)) {}

  /// Appends to `out` what of the content is certain to stay.
  void feed(std::string_view content, std::string& out);
  /// The content has ended.
  void finish(std::string& out);

  [[nodiscard]] bool in_body() const { return state_ == State::body; }
  [[nodiscard]] std::size_t received_count() const { return received_count_; }
  [[nodiscard]] std::size_t removed_count() const { return removed_count_; }

 private:
  enum class State : std::uint8_t {
    line_start,  ///< the next byte tells whether the field goes on
    holding,     ///< in a field that is not decided yet
    passing,     ///< in the rest of one that stays
    dropping,    ///< in the rest of one that goes
    pass_start,  ///< line_start behind a decided field that stays
    drop_start,  ///< line_start behind a decided field that goes
    body,
  };
  void step(char c, std::string& out);
  void start_line(char c, std::string& out);
  /// Decides what is held: it stays (and was appended), goes, or is body.
  void decide(std::string& out);
  bool stays(const mail::HeaderField& field);

  std::string authserv_id_;
  std::function<void(std::string_view)> on_received_;
  State state_ = State::line_start;
  std::string held_;
  bool began_ = false;  // something of the header section stays
  std::size_t received_count_ = 0;
  std::size_t removed_count_ = 0;
};

}  // namespace postern::session
