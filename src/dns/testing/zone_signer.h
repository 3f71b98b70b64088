#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dns/testing/message.h"

struct evp_pkey_st;

namespace postern::dns {

/// Signs the answers of one zone as DNSSEC wants it (RFC 4034, 4035), with one Ed25519 key (RFC
/// 8080) made of the zone's name: for tests of a validating resolver.
class ZoneSigner {
 public:
  /// Signatures are valid from an hour before `now` to an hour after.
  ZoneSigner(std::string apex, WallTime now);
  ~ZoneSigner();
  ZoneSigner(const ZoneSigner&) = delete;
  ZoneSigner& operator=(const ZoneSigner&) = delete;

  [[nodiscard]] const std::string& apex() const { return apex_; }
  [[nodiscard]] bool holds(std::string_view name) const;
  /// The zone's key as a line of a trust anchor file.
  [[nodiscard]] std::string trust_anchor() const;
  [[nodiscard]] WireRecord key() const;

  enum class Quality : std::uint8_t { good, broken, expired };
  /// Appends the signatures of those records that are of this zone, one for each name and type.
  void sign(std::vector<WireRecord>& records, Quality quality) const;

  /// Proves that `name` has no records but those of `types`.
  [[nodiscard]] WireRecord no_data(const std::string& name, std::vector<std::uint16_t> types) const;
  /// RFC 4470: proves that `name`, a child of the apex, does not exist, nor a wildcard for it.
  [[nodiscard]] std::vector<WireRecord> nx_domain(const std::string& name) const;

  static constexpr std::uint16_t type_dnskey = 48;
  static constexpr std::uint16_t type_rrsig = 46;
  static constexpr std::uint16_t type_nsec = 47;

 private:
  struct FreeKey {
    void operator()(evp_pkey_st* key) const;
  };
  [[nodiscard]] WireRecord signature(std::vector<WireRecord> set, Quality quality) const;
  [[nodiscard]] WireRecord covering(const std::string& label) const;

  std::string apex_;
  std::uint32_t now_seconds_;
  std::unique_ptr<evp_pkey_st, FreeKey> key_;
  std::string key_value_;  ///< of the DNSKEY record
  std::uint16_t key_tag_ = 0;
};

}  // namespace postern::dns
