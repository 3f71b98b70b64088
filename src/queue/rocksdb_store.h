#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "queue/store.h"

namespace rocksdb {
class DB;
class Env;
class FileLock;
class Status;
}  // namespace rocksdb

namespace postern::queue {

/// What opening may do to the directory.
enum class StoreAccess : std::uint8_t {
  create,     ///< makes a database when there is none
  existing,   ///< Cause::not_found when there is none
  read_only,  ///< the same, and writes nothing, but holds the database's lock all the same
};

struct RocksdbOptions {
  StoreAccess access = StoreAccess::create;
  std::uint64_t memtable_bytes = 64 << 20;
  std::uint64_t block_cache_bytes = 8 << 20;
  std::uint64_t wal_bytes_max = 256 << 20;
  int open_files_max = 256;
  int background_jobs_max = 2;          ///< threads of RocksDB's own: one flush, one compaction
  rocksdb::Env* environment = nullptr;  ///< its files; null: the system's. Outlives the store
};

/// The store on disk. One caller at a time (the queue's worker). After a failed commit the database
/// refuses writes; the next commit first tries to bring it back, without a restart of the program.
class RocksdbStore final : public Store {
 public:
  /// Opens or creates the database in `directory`, whose parent exists. Blame::operator_ with
  /// Cause::in_use (another process has it), no_permission, no_space, not_found, damaged or other;
  /// each text says what to do.
  static Result<std::unique_ptr<RocksdbStore>> open(std::string directory,
                                                    RocksdbOptions options = {});
  ~RocksdbStore() override;

  Result<> commit(const Batch& batch, Sync sync) override;
  Result<std::string> get(std::string_view key) override;
  Result<> scan(std::string_view prefix, std::string_view from,
                const std::function<bool(std::string_view, std::string_view)>& entry,
                const std::function<void(std::string)>& damaged) override;
  /// Writes what is in memory to tables: for tests, and before a copy of the directory is taken.
  Result<> flush();

 private:
  RocksdbStore(std::string directory, RocksdbOptions options);
  Result<> open_database();
  Result<> open_read_only();
  /// Makes a database that failed writable again, or says why it is not.
  Result<> revive();
  [[nodiscard]] std::unexpected<Error> open_failure(const rocksdb::Status& status) const;

  std::string directory_;
  RocksdbOptions options_;
  rocksdb::FileLock* lock_ = nullptr;  ///< with StoreAccess::read_only
  std::unique_ptr<rocksdb::DB> database_;
  bool failed_ = false;
};

}  // namespace postern::queue
