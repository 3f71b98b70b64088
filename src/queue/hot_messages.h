#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"
#include "queue/record.h"

namespace postern::queue {

/// Messages just accepted, kept in memory so that a delivery that follows at once reads nothing.
/// Bounded in bytes: when full, what nobody fetched in time goes, the oldest first; otherwise the
/// newcomer is not kept (the older ones are delivered before it).
class HotMessages {
 public:
  struct Item {
    std::shared_ptr<const StoredMessage> stored;
    std::shared_ptr<const std::string> content;  ///< null when it lies in a file
    std::uint64_t bytes = 0;
    SteadyTime since;
  };

  explicit HotMessages(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  void put(std::shared_ptr<const StoredMessage> stored, std::shared_ptr<const std::string> content,
           SteadyTime now);
  /// nullptr when it is not here; valid until the next change.
  [[nodiscard]] const Item* find(MessageId id) const;
  void erase(MessageId id);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void make_room(std::uint64_t bytes, SteadyTime now);

  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::map<std::uint64_t, Item> items_;  // by id, which is the order of arrival
};

}  // namespace postern::queue
