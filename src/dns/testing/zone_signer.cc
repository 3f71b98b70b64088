#include "dns/testing/zone_signer.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "dns/name.h"

namespace postern::dns {
namespace {

/// RFC 8080 section 5.
constexpr std::uint8_t algorithm_ed25519 = 15;
/// RFC 4034 section 2.1.1: a zone key that is a secure entry point; the protocol is always 3.
constexpr std::uint16_t key_flags = 257;
constexpr std::uint8_t key_protocol = 3;
constexpr std::uint32_t key_ttl_seconds = 3600;
constexpr std::uint32_t lifetime_seconds = 2 * 3600;
/// Validators forgive wrong clocks: unbound takes a signature for valid a tenth of its lifetime
/// longer, at least an hour and at most a day (val-sig-skew-min and -max).
constexpr std::uint32_t expired_since_seconds = 2 * 86400;
constexpr std::size_t signature_bytes = 64;

const unsigned char* unsigned_bytes(const std::string& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::size_t count_labels(std::string_view name) {
  std::size_t labels = 0;
  for (; !name.empty(); name = parent_name(name)) ++labels;
  return labels;
}

/// RFC 4034 appendix B.
std::uint16_t tag_of(const std::string& key_value) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < key_value.size(); ++i) {
    const auto byte = static_cast<unsigned char>(key_value[i]);
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(byte) << 8 : byte;
  }
  sum += sum >> 16 & 0xffff;
  return static_cast<std::uint16_t>(sum & 0xffff);
}

/// RFC 4034 section 4.1.2, for types below 256.
std::string type_bitmap(const std::vector<std::uint16_t>& types) {
  std::array<unsigned, 32> bits{};
  std::size_t used = 0;
  for (const std::uint16_t type : types) {
    CHECK(type < 256);
    bits.at(type / 8) |= 0x80U >> (type % 8);
    used = std::max<std::size_t>(used, type / 8 + 1U);
  }
  std::string bitmap(1, '\0');
  put_u8(bitmap, used);
  for (std::size_t i = 0; i < used; ++i) put_u8(bitmap, bits.at(i));
  return bitmap;
}

std::string base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   unsigned_bytes(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

void ZoneSigner::FreeKey::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

ZoneSigner::ZoneSigner(std::string apex, WallTime now)
    : apex_(std::move(apex)),
      now_seconds_(static_cast<std::uint32_t>(
          std::chrono::duration_cast<seconds>(now.time_since_epoch()).count())) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> seed{};
  SHA256(unsigned_bytes(apex_), apex_.size(), seed.data());
  key_.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  CHECK(key_ != nullptr);
  std::string public_key(32, '\0');
  std::size_t size = public_key.size();
  CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(public_key.data()),
                                    &size) == 1);
  put_u16(key_value_, key_flags);
  put_u8(key_value_, key_protocol);
  put_u8(key_value_, algorithm_ed25519);
  key_value_ += public_key;
  key_tag_ = tag_of(key_value_);
}

ZoneSigner::~ZoneSigner() = default;

bool ZoneSigner::holds(std::string_view name) const {
  for (; !name.empty(); name = parent_name(name))
    if (name == apex_) return true;
  return false;
}

std::string ZoneSigner::trust_anchor() const {
  return fmt::format("{}. {} IN DNSKEY {} {} {} {}\n", apex_, key_ttl_seconds, key_flags,
                     key_protocol, algorithm_ed25519, base64(key_value_.substr(4)));
}

WireRecord ZoneSigner::key() const {
  return {apex_, type_dnskey, key_ttl_seconds, key_value_};
}

void ZoneSigner::sign(std::vector<WireRecord>& records, Quality quality) const {
  std::map<std::pair<std::string, std::uint16_t>, std::vector<WireRecord>> sets;
  for (const WireRecord& record : records)
    if (holds(record.owner)) sets[{record.owner, record.type}].push_back(record);
  for (auto& [name_and_type, set] : sets) records.push_back(signature(std::move(set), quality));
}

WireRecord ZoneSigner::signature(std::vector<WireRecord> set, Quality quality) const {
  const WireRecord& first = set.front();
  const bool expired = quality == Quality::expired;
  WireRecord made{first.owner, type_rrsig, first.ttl_seconds, {}};
  put_u16(made.value, first.type);
  put_u8(made.value, algorithm_ed25519);
  put_u8(made.value, count_labels(first.owner));
  put_u32(made.value, first.ttl_seconds);
  const std::uint32_t expiry =
      expired ? now_seconds_ - expired_since_seconds : now_seconds_ + lifetime_seconds / 2;
  put_u32(made.value, expiry);
  put_u32(made.value, expiry - lifetime_seconds);
  put_u16(made.value, key_tag_);
  put_name(made.value, apex_);

  // RFC 4034 section 3.1.8.1: the signature's own fields, then the records in canonical order.
  std::string signed_bytes = made.value;
  std::ranges::sort(set, {}, [](const WireRecord& record) {
    return std::basic_string<unsigned char>(record.value.begin(), record.value.end());
  });
  for (const WireRecord& record : set) put_record(signed_bytes, record);
  std::string bytes(signature_bytes, '\0');
  std::size_t size = bytes.size();
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                       unsigned_bytes(signed_bytes), signed_bytes.size()) == 1);
  if (quality == Quality::broken) bytes[0] = static_cast<char>(bytes[0] ^ 1);
  made.value += bytes;
  return made;
}

WireRecord ZoneSigner::no_data(const std::string& name, std::vector<std::uint16_t> types) const {
  WireRecord nsec{name, type_nsec, Zone::negative_ttl_seconds, {}};
  put_name(nsec.value, "\\000." + name);
  types.insert(types.end(), {type_rrsig, type_nsec});
  nsec.value += type_bitmap(types);
  return nsec;
}

/// From just before a child of the apex to just after it.
WireRecord ZoneSigner::covering(const std::string& label) const {
  std::string before = label;
  before.back() = static_cast<char>(before.back() - 1);
  WireRecord nsec{before + "~." + apex_, type_nsec, Zone::negative_ttl_seconds, {}};
  put_name(nsec.value, label + "\\000." + apex_);
  nsec.value += type_bitmap({type_rrsig, type_nsec});
  return nsec;
}

std::vector<WireRecord> ZoneSigner::nx_domain(const std::string& name) const {
  CHECK(parent_name(name) == apex_);
  return {covering(name.substr(0, name.size() - apex_.size() - 1)), covering("*")};
}

}  // namespace postern::dns
