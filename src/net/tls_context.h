#pragma once

#include <string>

#include "base/result.h"
#include "net/openssl_ptr.h"
#include "net/self_signed.h"

namespace postern::net {

/// What all TLS connections of one role share: certificate, versions, options. TLS 1.2 or newer
/// (RFC 8996). On one shard; connections keep working with the certificate they began with when it
/// is replaced.
class TlsContext {
 public:
  struct Files {
    std::string certificate;  ///< PEM, the host's own first, then its chain
    std::string key;          ///< PEM, without a pass phrase
  };

  /// Reads the files. Errors name the file and say what is wrong with it (Blame::operator_).
  static Result<TlsContext> server(const Files& files);
  static Result<TlsContext> server(const PemPair& pem);
  /// RFC 7435: opportunistic; the peer's certificate is not looked at.
  static Result<TlsContext> client();

  /// Replaces the certificate for connections made from now on; keeps the old one on an error.
  Result<> reload(const Files& files);

  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  [[nodiscard]] bool is_server() const { return is_server_; }

 private:
  TlsContext(OpensslPtr<SSL_CTX> context, bool is_server)
      : context_(std::move(context)), is_server_(is_server) {}

  OpensslPtr<SSL_CTX> context_;
  bool is_server_;
};

}  // namespace postern::net
