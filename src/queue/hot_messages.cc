#include "queue/hot_messages.h"

#include <utility>

namespace postern::queue {
namespace {

// Whose destination takes longer than this is not delivered "at once".
constexpr Duration stay_min = std::chrono::seconds(10);

std::uint64_t bytes_of(const StoredMessage& stored) {
  std::uint64_t bytes = sizeof(StoredMessage) + sizeof(HotMessages::Item) + 128;
  for (const QueuedRecipient& recipient : stored.message.recipients)
    bytes += sizeof(QueuedRecipient) + recipient.recipient.address.size();
  return bytes;
}

}  // namespace

void HotMessages::put(std::shared_ptr<const StoredMessage> stored,
                      std::shared_ptr<const std::string> content, SteadyTime now) {
  const std::uint64_t bytes = bytes_of(*stored) + (content ? content->size() : 0);
  make_room(bytes, now);
  if (bytes_ + bytes > bytes_max_) return;
  const std::uint64_t id = stored->message.id.value;
  if (!items_.emplace(id, Item{std::move(stored), std::move(content), bytes, now}).second) return;
  bytes_ += bytes;
}

void HotMessages::make_room(std::uint64_t bytes, SteadyTime now) {
  while (bytes_ + bytes > bytes_max_ && !items_.empty() &&
         now - items_.begin()->second.since > stay_min) {
    bytes_ -= items_.begin()->second.bytes;
    items_.erase(items_.begin());
  }
}

const HotMessages::Item* HotMessages::find(MessageId id) const {
  const auto at = items_.find(id.value);
  return at == items_.end() ? nullptr : &at->second;
}

void HotMessages::erase(MessageId id) {
  const auto at = items_.find(id.value);
  if (at == items_.end()) return;
  bytes_ -= at->second.bytes;
  items_.erase(at);
}

}  // namespace postern::queue
