#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "queue/store.h"

namespace postern::queue {

/// A store in memory that fails as a disk does: for the simulator and for tests. crash() brings
/// back what the disk would hold. One thread.
class MemoryStore final : public Store {
 public:
  Result<> commit(const Batch& batch, Sync sync) override;
  Result<std::string> get(std::string_view key) override;
  Result<> scan(std::string_view prefix, std::string_view from,
                const std::function<bool(std::string_view, std::string_view)>& entry,
                const std::function<void(std::string)>& damaged) override;

  /// Power fails: the first `kept` of the batches that were not synced survive, in order; the rest
  /// is lost.
  void crash(std::size_t kept = 0);

  enum class Failure : std::uint8_t {
    refused,     ///< the batch is not applied (an I/O error)
    disk_full,   ///< the same with Cause::no_space
    sync_error,  ///< the batch is written but not synced: a crash may keep it or lose it
    unknown,     ///< the batch is written and synced, and an error is reported all the same
  };
  /// The next `times` commits fail.
  void fail_next(Failure failure, std::uint64_t times = 1);
  /// While full, commits that put anything fail with Cause::no_space; deletes go on.
  void set_full(bool full) { full_ = full; }
  /// Reading this key gives Cause::damaged, and a scan reports and passes it.
  void make_unreadable(const std::string& key) { unreadable_[key] = true; }
  /// Writes past the queue, as damage would.
  void overwrite(const std::string& key, std::string value) { entries_[key] = std::move(value); }

  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& entries() const {
    return entries_;
  }
  [[nodiscard]] std::uint64_t commits() const { return commits_; }  ///< that succeeded
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }      ///< of them with a sync
  [[nodiscard]] std::size_t unsynced() const { return undo_.size(); }

 private:
  struct Change {
    std::string key;
    bool existed = false;
    std::string before;
  };
  void apply(const Batch& batch);
  void remember(std::vector<Change>& changes, const std::string& key);

  std::map<std::string, std::string, std::less<>> entries_;
  std::map<std::string, bool, std::less<>> unreadable_;
  std::vector<std::vector<Change>> undo_;  ///< what takes each unsynced batch back
  Failure failure_ = Failure::refused;
  std::uint64_t failures_left_ = 0;
  bool full_ = false;
  std::uint64_t commits_ = 0;
  std::uint64_t syncs_ = 0;
};

}  // namespace postern::queue
