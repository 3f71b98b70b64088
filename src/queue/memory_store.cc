#include "queue/memory_store.h"

#include <algorithm>
#include <utility>

namespace postern::queue {

void MemoryStore::remember(std::vector<Change>& changes, const std::string& key) {
  const auto at = entries_.find(key);
  const bool existed = at != entries_.end();
  changes.push_back({.key = key, .existed = existed, .before = existed ? at->second : ""});
}

void MemoryStore::apply(const Batch& batch) {
  std::vector<Change> changes;
  for (const Batch::Put& put : batch.puts) {
    remember(changes, put.key);
    entries_[put.key] = put.value;
    unreadable_.erase(put.key);
  }
  for (const std::string& key : batch.deletes) {
    remember(changes, key);
    entries_.erase(key);
    unreadable_.erase(key);
  }
  undo_.push_back(std::move(changes));
}

Result<> MemoryStore::commit(const Batch& batch, Sync sync) {
  if (failures_left_ > 0) {
    --failures_left_;
    if (failure_ == Failure::sync_error || failure_ == Failure::unknown) apply(batch);
    if (failure_ == Failure::unknown) undo_.clear();
    return our_failure(failure_ == Failure::disk_full ? Cause::no_space : Cause::other,
                       "the store failed, as it was told to");
  }
  if (full_ && !batch.puts.empty()) return our_failure(Cause::no_space, "no space left on device");
  apply(batch);
  ++commits_;
  if (sync == Sync::now) {
    ++syncs_;
    undo_.clear();
  }
  return {};
}

Result<std::string> MemoryStore::get(std::string_view key) {
  if (unreadable_.contains(key)) return our_failure(Cause::damaged, "block checksum mismatch");
  const auto at = entries_.find(key);
  if (at == entries_.end()) return our_failure(Cause::not_found, "no such key");
  return at->second;
}

Result<> MemoryStore::scan(std::string_view prefix, std::string_view from,
                           const std::function<bool(std::string_view, std::string_view)>& entry,
                           const std::function<void(std::string)>& damaged) {
  for (auto at = entries_.lower_bound(std::max(prefix, from));
       at != entries_.end() && at->first.starts_with(prefix); ++at) {
    if (unreadable_.contains(at->first)) {
      damaged("block checksum mismatch");
      continue;
    }
    if (!entry(at->first, at->second)) break;
  }
  return {};
}

void MemoryStore::fail_next(Failure failure, std::uint64_t times) {
  failure_ = failure;
  failures_left_ = times;
}

void MemoryStore::crash(std::size_t kept) {
  while (undo_.size() > kept) {
    std::vector<Change> changes = std::move(undo_.back());
    undo_.pop_back();
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      if (change->existed)
        entries_[change->key] = change->before;
      else
        entries_.erase(change->key);
    }
  }
  undo_.clear();  // what survived is on disk
}

}  // namespace postern::queue
