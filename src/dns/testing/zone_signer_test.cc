#include "dns/testing/zone_signer.h"

#include <gtest/gtest.h>

namespace postern::dns {
namespace {

constexpr std::uint32_t now_seconds = 1'800'000'000;
constexpr std::uint32_t day_seconds = 86400;

std::uint32_t u32_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes.at(i));
  return value;
}

struct Validity {
  std::uint32_t begins;
  std::uint32_t ends;
};

/// RFC 4034 section 3.1: the end lies at octet 8 of the record, the begin behind it.
Validity validity(ZoneSigner::Quality quality) {
  const ZoneSigner signer("example.org", WallTime(std::chrono::seconds(now_seconds)));
  std::vector<WireRecord> records{{"mail.example.org", 1, 300, std::string("\xC6\x12\0\x0A", 4)}};
  signer.sign(records, quality);
  EXPECT_EQ(records.size(), 2U);
  EXPECT_EQ(records.back().type, ZoneSigner::type_rrsig);
  return {u32_at(records.back().value, 12), u32_at(records.back().value, 8)};
}

TEST(ZoneSigner, SignaturesAreValidAroundNow) {
  for (const auto quality : {ZoneSigner::Quality::good, ZoneSigner::Quality::broken}) {
    const auto [begins, ends] = validity(quality);
    EXPECT_LT(begins, now_seconds);
    EXPECT_GT(ends, now_seconds);
  }
}

// A validator forgives up to a day: at an hour the verdict hung on the second in which it was
// asked.
TEST(ZoneSigner, AnExpiredSignatureIsBeyondWhatValidatorsForgive) {
  const auto [begins, ends] = validity(ZoneSigner::Quality::expired);
  EXPECT_LT(begins, ends);
  EXPECT_LT(ends, now_seconds - day_seconds);
}

}  // namespace
}  // namespace postern::dns
