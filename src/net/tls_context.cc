#include "net/tls_context.h"

#include <array>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <utility>

namespace postern::net {
namespace {

constexpr unsigned char session_context[] = "postern";
// Opportunistic TLS with an old peer is better than none; see RFC 7435 section 3.
constexpr int opportunistic_security_level = 1;

/// A key that wants a pass phrase is refused, instead of asking for it on the terminal.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

OpensslPtr<SSL_CTX> new_context(const SSL_METHOD* method) {
  ERR_clear_error();
  OpensslPtr<SSL_CTX> context(SSL_CTX_new(method));
  if (!context) return nullptr;
  // RFC 8996 section 2: TLS 1.0 and 1.1 are not to be used.
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Renegotiation lets a peer make us work, and mixes reads into writes.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection keeps no record buffers.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Sessions resume by tickets, which cost us no memory.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context.get(), session_context, sizeof session_context - 1);
  return context;
}

Result<> load_certificate(SSL_CTX* context, BIO* pem, const std::string& name) {
  const std::string doing = "TLS certificate " + name;
  const OpensslPtr<X509> own(PEM_read_bio_X509_AUX(pem, nullptr, no_pass_phrase, nullptr));
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return operator_failure(Cause::damaged, openssl_error(doing));
  }
  while (X509* chained = PEM_read_bio_X509(pem, nullptr, no_pass_phrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, chained) != 1) {
      X509_free(chained);
      return operator_failure(Cause::damaged, openssl_error(doing));
    }
  }
  // The end of the file is an error to the reader.
  ERR_clear_error();
  return {};
}

Result<> load_key(SSL_CTX* context, BIO* pem, const std::string& name) {
  const OpensslPtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(pem, nullptr, no_pass_phrase, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return operator_failure(Cause::damaged, openssl_error("TLS key " + name));
  }
  return {};
}

Result<OpensslPtr<SSL_CTX>> server_context(BIO* certificate, const std::string& certificate_name,
                                           BIO* key, const std::string& key_name) {
  auto context = new_context(TLS_server_method());
  if (!context) return our_failure(Cause::other, openssl_error("TLS"));
  TRY_VOID(load_certificate(context.get(), certificate, certificate_name));
  TRY_VOID(load_key(context.get(), key, key_name));
  return context;
}

Result<OpensslPtr<BIO>> open_pem(const std::string& path) {
  ERR_clear_error();
  OpensslPtr<BIO> file(BIO_new_file(path.c_str(), "r"));
  if (!file) return operator_failure(Cause::not_found, openssl_error("open " + path));
  return file;
}

}  // namespace

std::string openssl_error(std::string_view doing) {
  std::string text(doing);
  const unsigned long code = ERR_get_error();
  if (code != 0) {
    std::array<char, 256> reason;
    ERR_error_string_n(code, reason.data(), reason.size());
    text += ": ";
    text += reason.data();
  }
  ERR_clear_error();
  return text;
}

Result<TlsContext> TlsContext::server(const Files& files) {
  TRY(const OpensslPtr<BIO> certificate, open_pem(files.certificate));
  TRY(const OpensslPtr<BIO> key, open_pem(files.key));
  TRY(OpensslPtr<SSL_CTX> context,
      server_context(certificate.get(), files.certificate, key.get(), files.key));
  return TlsContext(std::move(context), true);
}

Result<TlsContext> TlsContext::server(const PemPair& pem) {
  const OpensslPtr<BIO> certificate(
      BIO_new_mem_buf(pem.certificate.data(), static_cast<int>(pem.certificate.size())));
  const OpensslPtr<BIO> key(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())));
  if (!certificate || !key) return our_failure(Cause::limit, "TLS: out of memory");
  TRY(OpensslPtr<SSL_CTX> context,
      server_context(certificate.get(), "(in memory)", key.get(), "(in memory)"));
  return TlsContext(std::move(context), true);
}

Result<TlsContext> TlsContext::client() {
  auto context = new_context(TLS_client_method());
  if (!context) return our_failure(Cause::other, openssl_error("TLS"));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_security_level(context.get(), opportunistic_security_level);
  return TlsContext(std::move(context), false);
}

Result<> TlsContext::reload(const Files& files) {
  TRY(TlsContext fresh, server(files));
  context_ = std::move(fresh.context_);
  return {};
}

}  // namespace postern::net
