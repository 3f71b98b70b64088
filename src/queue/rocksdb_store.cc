#include "queue/rocksdb_store.h"

#include <algorithm>
#include <cstdarg>
#include <fmt/format.h>
#include <limits>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <utility>

namespace postern::queue {
namespace {

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

rocksdb::Options database_options(const RocksdbOptions& options) {
  rocksdb::Options out;
  out.create_if_missing = options.access == StoreAccess::create;
  out.paranoid_checks = true;
  // Acknowledged records lie in the log before its end, so nothing there may be passed over in
  // silence: kPointInTimeRecovery would drop everything behind a damaged record, and
  // kSkipAnyCorruptedRecords the record. kAbsoluteConsistency would refuse to start after a power
  // failure cut the last, unacknowledged write short. This mode takes a cut end, and nothing else.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.track_and_verify_wals_in_manifest = true;  // a log that vanished is an error too
  out.write_buffer_size = options.memtable_bytes;
  out.max_write_buffer_number = 3;
  out.max_total_wal_size = options.wal_bytes_max;
  // Tables reach the disk as they are written: all at their end they would hold up the log's syncs,
  // which senders wait for.
  out.bytes_per_sync = 1 << 20;
  // Else a compaction reads the tables 4 kB at a time.
  out.compaction_readahead_size = 2 << 20;
  out.max_open_files = options.open_files_max;
  out.max_background_jobs = options.background_jobs_max;
  out.compression = rocksdb::kNoCompression;
  out.bottommost_compression = rocksdb::kNoCompression;
  out.allow_concurrent_memtable_write = false;  // one committer
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 1 << 20;
  if (options.environment != nullptr) out.env = options.environment;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.checksum = rocksdb::kXXH3;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::Env* environment(const RocksdbOptions& options) {
  return options.environment != nullptr ? options.environment : rocksdb::Env::Default();
}

/// RocksDB's own log is a file in the database's directory.
class SilentLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

std::unexpected<Error> failure(const char* doing, const rocksdb::Status& status) {
  Cause cause = Cause::other;
  if (status.IsNoSpace()) cause = Cause::no_space;
  if (status.IsNotFound()) cause = Cause::not_found;
  if (status.IsCorruption()) cause = Cause::damaged;
  return our_failure(cause, fmt::format("queue database, {}: {}", doing, status.ToString()));
}

// The eight bytes after the prefix as a number: where in the order of keys we are.
std::uint64_t position_of(std::string_view prefix, std::string_view key) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t at = prefix.size() + i;
    out = (out << 8) | (at < key.size() ? static_cast<std::uint8_t>(key[at]) : 0U);
  }
  return out;
}

std::string key_at(std::string_view prefix, std::uint64_t position) {
  std::string out(prefix);
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(position >> shift));
  return out;
}

rocksdb::ReadOptions scan_options() {
  rocksdb::ReadOptions out;
  out.fill_cache = false;
  return out;
}

// With an iterator of its own: one that failed on a block does not read it again.
bool readable_from(rocksdb::DB& database, const std::string& key) {
  const std::unique_ptr<rocksdb::Iterator> iterator(database.NewIterator(scan_options()));
  iterator->Seek(key);
  return iterator->Valid() || iterator->status().ok();
}

// A damaged block has no known end: look for the first position behind it that reads, by steps that
// double and then by halving. nullopt: nothing behind it reads.
std::optional<std::string> key_behind_damage(rocksdb::DB& database, std::string_view prefix,
                                             std::uint64_t damaged) {
  constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t readable = damaged;
  for (std::uint64_t step = 1;; step *= 2) {
    readable = damaged > last - step ? last : damaged + step;
    if (readable_from(database, key_at(prefix, readable))) break;
    if (readable == last || step > last / 2) return std::nullopt;
  }
  while (readable - damaged > 1) {
    const std::uint64_t middle = damaged + (readable - damaged) / 2;
    (readable_from(database, key_at(prefix, middle)) ? readable : damaged) = middle;
  }
  return key_at(prefix, readable);
}

}  // namespace

RocksdbStore::RocksdbStore(std::string directory, RocksdbOptions options)
    : directory_(std::move(directory)), options_(options) {}
RocksdbStore::~RocksdbStore() {
  database_.reset();
  if (lock_ != nullptr) environment(options_)->UnlockFile(lock_);
}

Result<std::unique_ptr<RocksdbStore>> RocksdbStore::open(std::string directory,
                                                         RocksdbOptions options) {
  std::unique_ptr<RocksdbStore> store(new RocksdbStore(std::move(directory), options));
  TRY_VOID(store->open_database());
  return store;
}

std::unexpected<Error> RocksdbStore::open_failure(const rocksdb::Status& status) const {
  const std::string detail = status.ToString();
  const auto says = [&](std::string_view text) { return detail.find(text) != std::string::npos; };
  if (says("Permission denied"))
    return operator_failure(
        Cause::no_permission,
        fmt::format("no permission for the queue database in {}: give it to the "
                    "user Postern runs as (chown -R) ({})",
                    directory_, detail));
  if (says("LOCK") || says("lock "))
    return operator_failure(
        Cause::in_use, fmt::format("the queue database in {} is in use by another process: stop "
                                   "the other Postern, or give this one its own spool ({})",
                                   directory_, detail));
  if (says("does not exist"))
    return operator_failure(Cause::not_found,
                            fmt::format("there is no queue database in {}: is that the spool "
                                        "directory of the server? ({})",
                                        directory_, detail));
  if (status.IsNoSpace())
    return operator_failure(
        Cause::no_space,
        fmt::format("no space for the queue database in {}: free some, then start again ({})",
                    directory_, detail));
  if (status.IsCorruption() || status.IsInvalidArgument())
    return operator_failure(
        Cause::damaged,
        fmt::format("the queue database in {} is damaged; nothing was changed. Copy the spool "
                    "away and check the disk, then put back a snapshot of the whole spool from "
                    "before the damage. Without one the last resort, on a copy, is 'ldb repair "
                    "--db={}' (package rocksdb-tools): it drops what it cannot read without a "
                    "word and may bring back mail that was delivered; let `postern queue fsck` "
                    "look through what it leaves ({})",
                    directory_, directory_, detail));
  return operator_failure(
      Cause::other, fmt::format("cannot open the queue database in {}: {}", directory_, detail));
}

Result<> RocksdbStore::open_read_only() {
  rocksdb::Options options = database_options(options_);
  options.info_log = std::make_shared<SilentLog>();
  rocksdb::Env& files = *environment(options_);
  if (!files.FileExists(directory_ + "/CURRENT").ok())
    return open_failure(rocksdb::Status::InvalidArgument("CURRENT does not exist"));
  // Read-only, RocksDB itself takes no lock.
  if (lock_ == nullptr)
    if (const rocksdb::Status locked = files.LockFile(directory_ + "/LOCK", &lock_); !locked.ok())
      return open_failure(locked);
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, directory_, &opened);
  if (!status.ok()) return open_failure(status);
  database_.reset(opened);
  return {};
}

Result<> RocksdbStore::open_database() {
  if (options_.access == StoreAccess::read_only) return open_read_only();
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(database_options(options_), directory_, &opened);
  if (!status.ok()) return open_failure(status);
  database_.reset(opened);
  failed_ = false;
  return {};
}

Result<> RocksdbStore::revive() {
  // Resume writes the memory table out and starts a new log: what the failed write left at the end
  // of the old log is never read again.
  if (database_ != nullptr && database_->Resume().ok()) {
    failed_ = false;
    return {};
  }
  // A log that could not be synced is fatal to RocksDB. Opening anew reads what really is on disk.
  database_.reset();
  Result<> opened = open_database();
  if (!opened) {
    opened.error().persistence = Persistence::temporary;
    opened.error().blame = Blame::us;
  }
  return opened;
}

Result<> RocksdbStore::commit(const Batch& batch, Sync sync) {
  if (failed_ || database_ == nullptr) TRY_VOID(revive());
  rocksdb::Status status;
  if (batch.puts.empty() && batch.deletes.empty()) {
    if (sync == Sync::now) status = database_->SyncWAL();
  } else {
    rocksdb::WriteBatch changes;
    for (const Batch::Put& put : batch.puts) changes.Put(slice(put.key), slice(put.value));
    // Not SingleDelete: a record is written again after each attempt.
    for (const std::string& key : batch.deletes) changes.Delete(slice(key));
    rocksdb::WriteOptions options;
    options.sync = sync == Sync::now;
    status = database_->Write(options, &changes);
  }
  if (status.ok()) return {};
  failed_ = true;
  return failure("commit", status);
}

Result<std::string> RocksdbStore::get(std::string_view key) {
  if (database_ == nullptr) TRY_VOID(revive());
  std::string value;
  const rocksdb::Status status = database_->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (!status.ok()) return failure("read", status);
  return value;
}

Result<> RocksdbStore::scan(std::string_view prefix, std::string_view from,
                            const std::function<bool(std::string_view, std::string_view)>& entry,
                            const std::function<void(std::string)>& damaged) {
  if (database_ == nullptr) TRY_VOID(revive());
  std::string next(std::max(prefix, from));
  while (true) {
    const std::unique_ptr<rocksdb::Iterator> iterator(database_->NewIterator(scan_options()));
    for (iterator->Seek(next); iterator->Valid(); iterator->Next()) {
      if (!view(iterator->key()).starts_with(prefix)) return {};
      next = iterator->key().ToString();
      if (!entry(next, view(iterator->value()))) return {};
    }
    const rocksdb::Status status = iterator->status();
    if (status.ok()) return {};
    if (!status.IsCorruption()) return failure("scan", status);
    damaged(status.ToString());
    const std::optional<std::string> behind =
        key_behind_damage(*database_, prefix, position_of(prefix, next));
    if (!behind) return {};
    next = *behind;
  }
}

Result<> RocksdbStore::flush() {
  const rocksdb::Status status = database_->Flush(rocksdb::FlushOptions());
  if (!status.ok()) return failure("flush", status);
  return {};
}

}  // namespace postern::queue
