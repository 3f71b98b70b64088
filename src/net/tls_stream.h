#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/network.h"
#include "io/waiter.h"
#include "net/tls_context.h"

namespace postern::net {

/// TLS over another stream, which it owns. handshake() first, then as any io::Stream.
///
/// The caller guarantees that nothing it has read from the stream before is left over: bytes that
/// came in clear must be dropped, never handed on as if they were protected (the STARTTLS command
/// injection, CVE-2011-0411). This class starts with no bytes of its own.
///
/// An idle connection keeps neither record buffers nor bytes. What is sent is random, so a
/// simulation with TLS repeats its course but not its trace.
class TlsStream final : public io::Stream {
 public:
  /// `server_name`: sent as SNI by a client; empty or an address: none.
  TlsStream(std::unique_ptr<io::Stream> below, const TlsContext& context,
            std::string_view server_name = {});
  ~TlsStream() override;

  /// Errors: as of the stream; Blame::peer, Cause::other when the two sides cannot agree. The
  /// connection is of no use then.
  io::Task<Result<>> handshake(io::Deadline deadline);
  /// "TLSv1.3" and "TLS_AES_256_GCM_SHA384"; after the handshake.
  [[nodiscard]] std::string_view version() const;
  [[nodiscard]] std::string_view cipher() const;
  /// What the client asked for by SNI (server) or we asked for (client); perhaps empty.
  [[nodiscard]] std::string_view server_name() const;

  io::Task<Result<>> readable(io::Deadline deadline) override;
  io::Task<Result<std::size_t>> read_some(std::span<char> into, io::Deadline deadline) override;
  io::Task<Result<>> write_all(std::string_view bytes, io::Deadline deadline) override;
  void close() override { below_->close(); }
  /// RFC 8446 section 6.1: sends close_notify, then ends the stream below.
  void shutdown_write() override;
  [[nodiscard]] Endpoint local() const override { return below_->local(); }
  [[nodiscard]] Endpoint remote() const override { return below_->remote(); }

 private:
  friend struct TlsBio;
  enum class Want { nothing, bytes, end, failed };
  enum class Who { reader, writer };

  /// What an OpenSSL call that returned `result` needs. Sets failure_ for `failed`.
  Want want_after(int result, std::string_view doing);
  /// Waits for bytes from below and takes them in.
  io::Task<Result<>> fill(io::Deadline deadline);
  /// Sends what OpenSSL has put out. Two tasks may come here; one of them writes.
  io::Task<Result<>> flush(Who who, io::Deadline deadline);

  std::unique_ptr<io::Stream> below_;
  OpensslPtr<SSL> ssl_;
  std::string incoming_;  // from below, from incoming_used_ on not yet seen by OpenSSL
  std::size_t incoming_used_ = 0;
  std::string outgoing_;
  bool below_ended_ = false;
  bool flushing_ = false;
  bool farewell_sent_ = false;
  io::Waiter* flush_waiter_ = nullptr;
  std::optional<Error> failure_;
};

}  // namespace postern::net
