#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/world.h"

namespace postern::lab {

/// One reply as it came, its lines without CRLF.
struct DialogueReply {
  int code = 0;
  std::vector<std::string> lines;
};

/// A client that speaks SMTP a line at a time and keeps what both sides said, to show it: "C: " and
/// "S: " lines.
class Dialogue {
 public:
  /// Connects from `from` to `to` and reads the greeting. Errors: those of io::Network and of the
  /// peer.
  static io::Task<Result<std::unique_ptr<Dialogue>>> open(const io::World& world, IpAddress from,
                                                          Endpoint to);

  /// Sends a command line (CRLF is added) and reads the reply.
  io::Task<Result<DialogueReply>> command(std::string line);
  /// Sends content after a 354, dot-stuffed, with its end, and reads the reply. Lines of `content`
  /// end in LF or CRLF; shown whole.
  io::Task<Result<DialogueReply>> content(std::string_view content);

  [[nodiscard]] const std::string& transcript() const { return transcript_; }

 private:
  Dialogue(const io::World& world, std::unique_ptr<io::Stream> stream)
      : world_(world), stream_(std::move(stream)) {}
  io::Task<Result<DialogueReply>> read_reply();
  io::Task<Result<std::string>> read_line();

  const io::World& world_;
  std::unique_ptr<io::Stream> stream_;
  std::string input_;  // received, not yet taken; bounded by the longest line
  std::string transcript_;
};

}  // namespace postern::lab
