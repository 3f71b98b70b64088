#include "ledger/event_batch.h"

#include <gtest/gtest.h>

namespace postern::ledger {
namespace {

Refusal refusal_of(std::string recipient) {
  Refusal refusal;
  refusal.recipient = std::move(recipient);
  refusal.lookups = std::make_shared<const auth::Iprev>();
  return refusal;
}

TEST(EventBatch, HoldsWhatWasAddedSinceItWasCleared) {
  EventBatch batch;
  EXPECT_TRUE(batch.empty());
  for (const char* recipient : {"a@example.com", "b@example.com", "c@example.com"})
    batch.add(refusal_of(recipient));
  EXPECT_EQ(batch.size(), 3U);
  batch.clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_TRUE(batch.events().empty());
  Acceptance acceptance;
  acceptance.recipient = "d@example.com";
  batch.add(std::move(acceptance));
  batch.add(refusal_of("e@example.com"));
  ASSERT_EQ(batch.events().size(), 2U);
  EXPECT_EQ(std::get<Acceptance>(batch.events()[0]).recipient, "d@example.com");
  EXPECT_EQ(std::get<Refusal>(batch.events()[1]).recipient, "e@example.com");
}

TEST(EventBatch, LetsGoOfTheLookups) {
  EventBatch batch;
  Refusal refusal = refusal_of("a@example.com");
  const std::weak_ptr<const auth::Iprev> lookups = refusal.lookups;
  batch.add(std::move(refusal));
  EXPECT_FALSE(lookups.expired());
  batch.clear();
  EXPECT_TRUE(lookups.expired());
}

TEST(EventBatch, AFloodDoesNotLeaveItsRoomBehind) {
  EventBatch batch;
  const auto use = [&batch](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) batch.add(refusal_of("a@example.com"));
    batch.clear();
    return batch.room();
  };
  EXPECT_EQ(use(EventBatch::room_max + 5000), EventBatch::room_max);
  EXPECT_EQ(use(5000), EventBatch::room_max) << "the room of the next, which may be larger";
  EXPECT_EQ(use(1000), 4000U);
  EXPECT_EQ(use(1), EventBatch::room_min);
  EXPECT_EQ(use(1), EventBatch::room_min);
}

}  // namespace
}  // namespace postern::ledger
