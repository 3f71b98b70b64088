#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "io/deadline.h"
#include "io/task.h"

namespace postern::io {

/// A TCP connection, or something that behaves as one (TLS). One reader and one writer at a time.
/// Errors: Blame::peer, temporary, with Cause::closed (reset), timed_out or refused;
/// Cause::cancelled after our own close().
class Stream {
 public:
  virtual ~Stream() = default;

  /// Resumes when a read would not wait: bytes, end of stream or an error (rarely it would wait
  /// after all). Holds no buffer meanwhile, so that an idle connection costs none.
  virtual Task<Result<>> readable(Deadline deadline) = 0;
  /// At least one byte, or 0 at the end of the stream. `into` is not empty and outlives the call.
  virtual Task<Result<std::size_t>> read_some(std::span<char> into, Deadline deadline) = 0;
  /// All bytes or an error; then an unknown part was sent. `bytes` outlives the call.
  virtual Task<Result<>> write_all(std::string_view bytes, Deadline deadline) = 0;
  /// Sends what the system takes at this moment, perhaps nothing, and never waits: for the last
  /// bytes of a layer above (TLS's farewell). Not while write_all is under way.
  virtual std::size_t write_now(std::string_view /*bytes*/) { return 0; }
  /// Ends the connection at once; whatever waits on it resumes with Cause::cancelled. May be called
  /// twice.
  virtual void close() = 0;
  /// Our bytes end here, in order; the peer reads end of stream. Then close() loses nothing already
  /// written.
  virtual void shutdown_write() = 0;

  [[nodiscard]] virtual Endpoint local() const = 0;
  [[nodiscard]] virtual Endpoint remote() const = 0;
};

/// A listening socket.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The next connection. Temporary errors (too many files) are for the caller to wait out.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  /// No more connections; a waiting accept() resumes with Cause::cancelled.
  virtual void close() = 0;
  /// With the port that the system chose when 0 was asked for.
  [[nodiscard]] virtual Endpoint local() const = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  /// Cause::in_use, no_permission or other; Blame::operator_.
  virtual Result<std::unique_ptr<Listener>> listen(Endpoint at) = 0;
  /// Connects from `from` (its port may be 0) when given.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline,
                                                        const IpAddress* from = nullptr) = 0;
  /// The same over a Unix-domain socket, mode 0600, at `path`; a stale socket file is replaced, one
  /// that somebody listens on is Cause::in_use. Endpoints are empty.
  virtual Result<std::unique_ptr<Listener>> listen_local(std::string path) = 0;
  virtual Task<Result<std::unique_ptr<Stream>>> connect_local(std::string path,
                                                              Deadline deadline) = 0;
};

}  // namespace postern::io
