#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "io/world.h"

namespace postern::sim {

/// A connection read by lines: what the upstream and the next hops speak SMTP with. Theirs, not the
/// server's own parsers, so that both cannot be wrong in the same way.
class LineStream {
 public:
  LineStream(std::unique_ptr<io::Stream> stream, io::Clock& clock, Duration patience)
      : stream_(std::move(stream)), clock_(clock), patience_(patience) {}

  /// Without its CRLF. Error also at the end of the stream.
  io::Task<Result<std::string>> line();
  /// Everything up to the lone dot, dot stuffing removed.
  io::Task<Result<std::string>> content();
  /// A whole reply, its lines joined by LF.
  io::Task<Result<std::string>> reply();
  io::Task<Result<>> send(std::string bytes);
  void shutdown_write() { stream_->shutdown_write(); }
  void close() { stream_->close(); }

 private:
  io::Task<Result<>> fill();

  std::unique_ptr<io::Stream> stream_;
  io::Clock& clock_;
  Duration patience_;
  std::string input_;
  std::size_t taken_ = 0;  ///< of `input_`
};

}  // namespace postern::sim
