#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace postern::queue {

/// One atomic change of the store.
struct Batch {
  struct Put {
    std::string key;
    std::string value;
  };
  std::vector<Put> puts;
  std::vector<std::string> deletes;
};

/// An ordered, durable map from bytes to bytes: RocksDB, or memory that loses unsynced changes for
/// the simulator. Calls block; the queue makes them through io::Worker, one at a time.
class Store {
 public:
  virtual ~Store() = default;
  enum class Sync : std::uint8_t { now, later };
  /// All of the batch or nothing. With Sync::now it, and every batch before it, survives a crash
  /// when this returns.
  virtual Result<> commit(const Batch& batch, Sync sync) = 0;
  /// Cause::not_found when the key is absent, Cause::damaged when its checksum fails.
  virtual Result<std::string> get(std::string_view key) = 0;
  /// Calls `entry` for each key with the prefix, in order, from `from` on, until it returns false.
  /// A block that cannot be read is reported to `damaged` and passed over.
  virtual Result<> scan(
      std::string_view prefix, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& entry,
      const std::function<void(std::string what)>& damaged) = 0;
};

}  // namespace postern::queue
