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
  batch.add(Acceptance{.recipient = "d@example.com"});
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

TEST(EventBatch, TextsOfBeforeAreFreedByWhoAdds) {
  EventBatch batch;
  batch.add(refusal_of(std::string(100, 'a')));
  const void* const text = std::get<Refusal>(batch.events()[0]).recipient.data();
  batch.clear();
  Event next = refusal_of(std::string(100, 'b'));
  const void* const next_text = std::get<Refusal>(next).recipient.data();
  batch.add(std::move(next));
  EXPECT_EQ(std::get<Refusal>(batch.events()[0]).recipient.data(), next_text) << "not copied";
  EXPECT_NE(text, next_text) << "it was still held, by the cleared batch";
}

}  // namespace
}  // namespace postern::ledger
