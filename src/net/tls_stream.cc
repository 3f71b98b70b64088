#include "net/tls_stream.h"

#include <algorithm>
#include <cstring>
#include <openssl/err.h>
#include <utility>

#include "base/check.h"
#include "base/ip.h"

namespace postern::net {
namespace {

// RFC 8446 section 5.1 and 5.2: a record carries up to 2^14 bytes, and up to 256 more when
// protected.
constexpr std::size_t record_bytes_max = 16 * 1024;
constexpr std::size_t read_bytes_max = record_bytes_max + 512;

}  // namespace

/// OpenSSL's side of the stream: reads from incoming_, writes to outgoing_. Unlike a memory BIO it
/// gives the memory back when a connection is idle.
struct TlsBio {
  static int read(BIO* bio, char* into, std::size_t size, std::size_t* count) {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *count = std::min(size, stream.incoming_.size() - stream.incoming_used_);
    if (*count == 0) {
      if (!stream.below_ended_) BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, stream.incoming_.data() + stream.incoming_used_, *count);
    stream.incoming_used_ += *count;
    if (stream.incoming_used_ == stream.incoming_.size()) {
      std::string().swap(stream.incoming_);
      stream.incoming_used_ = 0;
    }
    return 1;
  }
  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* count) {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    stream.outgoing_.append(from, size);
    *count = size;
    return 1;
  }
  static long control(BIO* bio, int command, long, void*) {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_EOF:
        return stream.below_ended_ && stream.incoming_.empty() ? 1 : 0;
      default:
        return 0;
    }
  }
  static const BIO_METHOD* method() {
    static const OpensslPtr<BIO_METHOD> method = [] {
      OpensslPtr<BIO_METHOD> made(
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern stream"));
      CHECK(made != nullptr);
      BIO_meth_set_read_ex(made.get(), read);
      BIO_meth_set_write_ex(made.get(), write);
      BIO_meth_set_ctrl(made.get(), control);
      return made;
    }();
    return method.get();
  }
};

TlsStream::TlsStream(std::unique_ptr<io::Stream> below, const TlsContext& context,
                     std::string_view server_name)
    : below_(std::move(below)), ssl_(SSL_new(context.get())) {
  CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(TlsBio::method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (context.is_server()) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  // RFC 6066 section 3: literal addresses are not permitted as host names.
  if (!server_name.empty() && !IpAddress::parse(server_name)) {
    SSL_set_tlsext_host_name(ssl_.get(), std::string(server_name).c_str());
  }
}

TlsStream::~TlsStream() = default;

std::string_view TlsStream::version() const {
  return SSL_get_version(ssl_.get());
}
std::string_view TlsStream::cipher() const {
  const char* name = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl_.get()));
  return name == nullptr ? "" : name;
}
std::string_view TlsStream::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

io::Task<Result<>> TlsStream::handshake(io::Deadline deadline) {
  while (!failure_) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const Want want = want_after(result, "TLS handshake");
    // Also after a failure: it may be an alert that tells the peer why.
    Result<> flushed = co_await flush(Who::writer, deadline);
    if (want == Want::failed) break;
    if (!flushed) co_return fail(std::move(flushed).error());
    if (want == Want::nothing) co_return Result<>{};
    CO_TRY_VOID(co_await fill(deadline));
  }
  co_return fail(*failure_);
}

io::Task<Result<>> TlsStream::readable(io::Deadline deadline) {
  while (!failure_) {
    ERR_clear_error();
    char peeked = 0;
    std::size_t count = 0;
    const Want want = want_after(SSL_peek_ex(ssl_.get(), &peeked, 1, &count), "TLS read");
    if (want != Want::bytes) break;
    CO_TRY_VOID(co_await flush(Who::reader, deadline));
    CO_TRY_VOID(co_await fill(deadline));
  }
  co_return Result<>{};
}

io::Task<Result<std::size_t>> TlsStream::read_some(std::span<char> into, io::Deadline deadline) {
  while (!failure_) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    switch (want_after(result, "TLS read")) {
      case Want::nothing:
        co_return count;
      case Want::end:
        co_return std::size_t{0};
      case Want::failed:
        break;
      case Want::bytes:
        CO_TRY_VOID(co_await flush(Who::reader, deadline));
        CO_TRY_VOID(co_await fill(deadline));
        break;
    }
  }
  co_return fail(*failure_);
}

io::Task<Result<>> TlsStream::write_all(std::string_view bytes, io::Deadline deadline) {
  while (!failure_ && !bytes.empty()) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result =
        SSL_write_ex(ssl_.get(), bytes.data(), std::min(bytes.size(), record_bytes_max), &count);
    const Want want = want_after(result, "TLS write");
    // Without renegotiation, and with an output that always takes, a write needs no bytes.
    CHECK(want != Want::bytes);
    if (want != Want::nothing) {
      co_return peer_failure(Cause::closed, failure_ ? failure_->what : "TLS write: ended");
    }
    bytes.remove_prefix(count);
    CO_TRY_VOID(co_await flush(Who::writer, deadline));
  }
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

void TlsStream::shutdown_write() {
  if (std::exchange(farewell_sent_, true)) return;
  if (SSL_is_init_finished(ssl_.get()) && !failure_ && !flushing_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    below_->write_now(outgoing_);
    std::string().swap(outgoing_);
  }
  below_->shutdown_write();
}

TlsStream::Want TlsStream::want_after(int result, std::string_view doing) {
  if (result == 1) return Want::nothing;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Want::bytes;
    case SSL_ERROR_ZERO_RETURN:
      return Want::end;
    default:
      break;
  }
  if (below_ended_ && incoming_.empty()) {
    ERR_clear_error();
    // RFC 8446 section 6.1: an end without close_notify may be an attacker's cut.
    failure_ = Error{Persistence::temporary, Blame::peer, Cause::closed,
                     std::string(doing) + ": the peer ended the connection without close_notify"};
  } else {
    failure_ =
        Error{Persistence::temporary, Blame::peer, Cause::other, openssl_error(std::string(doing))};
  }
  return Want::failed;
}

io::Task<Result<>> TlsStream::fill(io::Deadline deadline) {
  CO_TRY_VOID(co_await below_->readable(deadline));
  const std::size_t kept = incoming_.size();
  std::string fresh(read_bytes_max, '\0');
  CO_TRY(const std::size_t count, co_await below_->read_some(fresh, deadline));
  CHECK(incoming_.size() == kept);
  incoming_.append(fresh, 0, count);
  if (count == 0) below_ended_ = true;
  co_return Result<>{};
}

io::Task<Result<>> TlsStream::flush(Who who, io::Deadline deadline) {
  while (flushing_) {
    // Whoever is sending sends this as well. A reader goes on reading: were it to wait for a writer
    // whose peer waits for us to read, nobody would move.
    if (who == Who::reader) co_return Result<>{};
    io::Waiter waiter;
    flush_waiter_ = &waiter;
    co_await waiter.suspend();
    flush_waiter_ = nullptr;
  }
  flushing_ = true;
  Result<> sent;
  while (!outgoing_.empty() && sent) {
    const std::string bytes = std::exchange(outgoing_, {});
    sent = co_await below_->write_all(bytes, deadline);
  }
  flushing_ = false;
  // A part of a record may be gone.
  if (!sent && !failure_) failure_ = sent.error();
  if (flush_waiter_ != nullptr) flush_waiter_->resume();
  co_return sent;
}

}  // namespace postern::net
