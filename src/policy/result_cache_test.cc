#include "policy/result_cache.h"

#include <gtest/gtest.h>

namespace postern::policy {
namespace {

using namespace std::chrono_literals;

constexpr ResultCache::Limits limits{.entries_max = 100,
                                     .positive_ttl_max = 24h,
                                     .negative_ttl_max = 5min,
                                     .undetermined_ttl = 5s,
                                     .stale_max = 10h};
constexpr SteadyTime start{1000h};
const IpAddress client = *IpAddress::parse("192.0.2.7");

std::shared_ptr<const UnknownIpVerdict> result(UnknownIpState state, std::uint32_t ttl_seconds) {
  auto iprev = std::make_shared<auth::Iprev>();
  iprev->address = client;
  iprev->ttl_seconds = ttl_seconds;
  auto verdict = std::make_shared<UnknownIpVerdict>();
  verdict->state = state;
  verdict->iprev = std::move(iprev);
  return verdict;
}

TEST(ResultCache, KeepsAResultAsLongAsTheDnsAllows) {
  struct Case {
    UnknownIpState state;
    std::uint32_t ttl_seconds;
    Duration kept;
    const char* reason;
  };
  const Case cases[] = {
      {UnknownIpState::pass, 600, 10min, "the TTL"},
      {UnknownIpState::pass, 0x7fffffff, 24h, "68 years are a lie"},
      {UnknownIpState::pass, 0, 0s, "TTL 0: for those that wait for it"},
      {UnknownIpState::no_ptr, 60, 60s, "the negative TTL"},
      {UnknownIpState::mismatch, 86400, 5min, "a refusal is looked up again soon"},
      {UnknownIpState::temp_error, 0, 5s, "undetermined"},
  };
  for (const Case& c : cases) {
    ResultCache cache;
    cache.put(client, result(c.state, c.ttl_seconds), start, limits);
    if (c.kept > 0s) {
      EXPECT_NE(cache.find(client, start + c.kept - 1ns).verdict, nullptr) << c.reason;
      EXPECT_FALSE(cache.find(client, start + c.kept - 1ns).refresh) << c.reason;
    }
    EXPECT_EQ(cache.find(client, start + c.kept).verdict, nullptr) << c.reason;
  }
}

TEST(ResultCache, WhatIsOverGoesAsOthersCome) {
  ResultCache cache;
  const auto address = [](int i) {
    return IpAddress::from_v4(
        {198, 51, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250)});
  };
  cache.put(client, result(UnknownIpState::pass, 600), start, limits);
  for (int i = 0; i < 50; ++i)
    cache.put(address(i), result(UnknownIpState::no_ptr, 60), start, limits);
  EXPECT_EQ(cache.size(), 51U);
  for (int i = 50; i < 75; ++i)
    cache.put(address(i), result(UnknownIpState::no_ptr, 60), start + 60s, limits);
  EXPECT_EQ(cache.size(), 26U) << "two go for each that comes";
  EXPECT_NE(cache.find(client, start + 60s).verdict, nullptr);
  cache.put(client, result(UnknownIpState::temp_error, 0), start + 10h, limits);
  EXPECT_TRUE(cache.find(client, start + 10h).verdict->stale) << "a pass may still stand in";
}

TEST(ResultCache, IsBoundedByWhatZonesMakeItHold) {
  ResultCache cache;
  auto iprev = std::make_shared<auth::Iprev>();
  iprev->ttl_seconds = 600;
  iprev->names.resize(auth::iprev_names_max);
  for (auth::IprevName& name : iprev->names) {
    name.name = std::string(1000, 'x');
    name.addresses.resize(auth::iprev_addresses_max);
  }
  auto verdict = std::make_shared<UnknownIpVerdict>();
  verdict->state = UnknownIpState::mismatch;
  verdict->iprev = std::move(iprev);
  ResultCache::Limits many = limits;
  many.entries_max = 100'000;
  for (int i = 0; i < 20'000; ++i)
    cache.put(IpAddress::from_v4(
                  {10, 0, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250)}),
              verdict, start, many);
  EXPECT_LT(cache.size() * 15'000, ResultCache::bytes_max);
  EXPECT_GT(cache.size(), 5'000U);
  cache.put(client, result(UnknownIpState::pass, 600), start, many);
  EXPECT_NE(cache.find(client, start).verdict, nullptr);
}

TEST(ResultCache, APassStandsInForALookupWithoutAnAnswer) {
  ResultCache cache;
  cache.put(client, result(UnknownIpState::pass, 600), start, limits);
  const SteadyTime over = start + 10min;
  EXPECT_EQ(cache.find(client, over).verdict, nullptr) << "the DNS is asked first";

  auto counts = cache.put(client, result(UnknownIpState::temp_error, 0), over, limits);
  EXPECT_EQ(counts->state, UnknownIpState::pass);
  EXPECT_TRUE(counts->stale);
  const auto again = cache.find(client, over + 4s);
  EXPECT_EQ(again.verdict, counts);
  EXPECT_FALSE(again.refresh) << "the pause";
  EXPECT_TRUE(cache.find(client, over + 5s).refresh);
  EXPECT_EQ(cache.find(client, over + 5s).verdict, counts) << "nobody waits";

  counts = cache.put(client, result(UnknownIpState::pass, 600), over + 6s, limits);
  EXPECT_FALSE(counts->stale) << "the DNS has answered";
  EXPECT_FALSE(cache.find(client, over + 6s + 599s).refresh);
}

TEST(ResultCache, AsksAgainWithGrowingPausesUntilThePassIsTooOld) {
  ResultCache cache;
  cache.put(client, result(UnknownIpState::pass, 0), start, limits);
  SteadyTime now = start;
  const Duration pauses[] = {5s, 10s, 20s, 40s, 80s, 160s, 300s, 300s};
  for (const Duration pause : pauses) {
    cache.put(client, result(UnknownIpState::temp_error, 0), now, limits);
    EXPECT_FALSE(cache.find(client, now + pause - 1ns).refresh);
    EXPECT_TRUE(cache.find(client, now + pause).refresh);
    now += pause;
  }
  cache.put(client, result(UnknownIpState::temp_error, 0), start + 10h - 1s, limits);
  EXPECT_NE(cache.find(client, start + 10h - 1ns).verdict, nullptr);
  EXPECT_EQ(cache.find(client, start + 10h).verdict, nullptr) << "too old";
  EXPECT_EQ(cache.put(client, result(UnknownIpState::temp_error, 0), start + 10h, limits)->state,
            UnknownIpState::temp_error);
}

TEST(ResultCache, WhatTheDnsSaysReplacesAPass) {
  ResultCache cache;
  cache.put(client, result(UnknownIpState::pass, 600), start, limits);
  cache.put(client, result(UnknownIpState::no_ptr, 60), start + 1h, limits);
  const auto counts = cache.put(client, result(UnknownIpState::temp_error, 0), start + 2h, limits);
  EXPECT_EQ(counts->state, UnknownIpState::temp_error) << "neither the pass nor the refusal";
  EXPECT_FALSE(counts->stale);
}

TEST(ResultCache, StandsInForNothingWhenNotAsked) {
  ResultCache cache;
  ResultCache::Limits none = limits;
  none.stale_max = 0s;
  cache.put(client, result(UnknownIpState::pass, 600), start, none);
  EXPECT_EQ(cache.put(client, result(UnknownIpState::temp_error, 0), start + 10min, none)->state,
            UnknownIpState::temp_error);
}

TEST(ResultCache, IsBoundedByUse) {
  ResultCache cache;
  ResultCache::Limits two = limits;
  two.entries_max = 2;
  const IpAddress other = *IpAddress::parse("192.0.2.8");
  const IpAddress third = *IpAddress::parse("192.0.2.9");
  cache.put(client, result(UnknownIpState::pass, 600), start, two);
  cache.put(other, result(UnknownIpState::pass, 600), start, two);
  EXPECT_NE(cache.find(client, start).verdict, nullptr);
  cache.put(third, result(UnknownIpState::pass, 600), start, two);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_NE(cache.find(client, start).verdict, nullptr) << "used after the other";
  EXPECT_EQ(cache.find(other, start).verdict, nullptr);
}

}  // namespace
}  // namespace postern::policy
