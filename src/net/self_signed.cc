#include "net/self_signed.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "net/openssl_ptr.h"

namespace postern::net {
namespace {

constexpr int x509_version_3 = 2;

std::string text_of(BIO* bio) {
  char* start = nullptr;
  const long length = BIO_get_mem_data(bio, &start);
  return {start, static_cast<std::size_t>(length)};
}

bool set_times(X509* certificate, WallTime now, int days) {
  const auto start = static_cast<std::time_t>(
      std::chrono::floor<seconds>(now.time_since_epoch() - std::chrono::days(1)).count());
  return ASN1_TIME_set(X509_getm_notBefore(certificate), start) != nullptr &&
         ASN1_TIME_adj(X509_getm_notAfter(certificate), start, days, 0) != nullptr;
}

bool set_name(X509* certificate, const std::string& host_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  // RFC 5280 appendix A.1: a common name has at most 64 characters; the whole name is in the
  // alternative name.
  const std::string common = host_name.substr(0, 64);
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common.data()),
                                 static_cast<int>(common.size()), -1, 0) != 1 ||
      X509_set_issuer_name(certificate, name) != 1) {
    return false;
  }
  const std::string alternative = "DNS:" + host_name;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool set_serial(X509* certificate) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  // RFC 5280 section 4.1.2.2: the serial number is positive.
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1;
}

}  // namespace

Result<PemPair> make_self_signed(std::string_view host_name, WallTime now, int days) {
  ERR_clear_error();
  const std::string name(host_name);
  const OpensslPtr<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const OpensslPtr<X509> certificate(X509_new());
  const OpensslPtr<BIO> certificate_pem(BIO_new(BIO_s_mem()));
  const OpensslPtr<BIO> key_pem(BIO_new(BIO_s_mem()));
  const bool made =
      key && certificate && X509_set_version(certificate.get(), x509_version_3) == 1 &&
      set_serial(certificate.get()) && set_times(certificate.get(), now, days) &&
      set_name(certificate.get(), name) && X509_set_pubkey(certificate.get(), key.get()) == 1 &&
      X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0 &&
      PEM_write_bio_X509(certificate_pem.get(), certificate.get()) == 1 &&
      PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
          1;
  if (!made) {
    return our_failure(Cause::other, openssl_error("make a certificate for '" + name + "'"));
  }
  return PemPair{text_of(certificate_pem.get()), text_of(key_pem.get())};
}

}  // namespace postern::net
