#pragma once

#include <string>
#include <utility>

#include "io/world.h"
#include "queue/queue.h"
#include "queue/record.h"
#include "queue/salvage.h"
#include "queue/store.h"

namespace postern::queue {

/// What fsck does about its findings. Each leaves, when a crash ends it, what it began with, and
/// perhaps a copy in salvage_directory.
class Repair {
 public:
  using Entry = std::pair<std::string, std::string>;  ///< a key and its value

  Repair(const io::World& world, Store& store) : world_(world), store_(store), files_(world) {}

  /// Takes a record that does not read, and its content, out of the queue into files.
  io::Task<Result<>> salvage_record(Entry entry, MessageId id, std::string why);
  /// Puts what was set aside back.
  io::Task<Result<>> restore(Entry entry, MessageId id);
  /// A message whose content is lost: due now, for the last time. What there is of the content is
  /// copied.
  io::Task<Result<>> end_lifetime(StoredMessage stored);
  /// Content that no record names.
  io::Task<Result<>> move_orphan(MessageId id);
  io::Task<Result<>> move_stored_orphan(MessageId id, std::string content);
  io::Task<Result<>> put(std::string key, std::string value);

 private:
  /// The new file's name, or "missing". What is in the store is deleted with `batch`.
  io::Task<Result<std::string>> salvage_content(MessageId id, Batch& batch);

  io::World world_;
  Store& store_;
  Salvage files_;
};

}  // namespace postern::queue
