#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <string>

#include "base/random.h"

namespace postern::store_test {

/// The files of a RocksDB database, on the real disk, with a disk cache of their own: what was not
/// synced is lost when power fails. Can be told to fail. Used by RocksDB's threads too.
class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem();
  const char* Name() const override { return "FaultyFileSystem"; }

  enum class Operation : std::uint8_t { append, sync, any };
  enum class Fault : std::uint8_t { io_error, no_space };
  /// The operations of this kind from the `first`th on fail, `count` of them.
  void fail(Operation operation, Fault fault, std::uint64_t first, std::uint64_t count);
  /// From the `first`th operation on nothing changes on disk any more: the moment of a power
  /// failure.
  void stop_after(std::uint64_t first);
  /// Nothing fails any more.
  void heal();

  /// How a file ends whose last bytes were not synced.
  enum class Tail : std::uint8_t {
    cut,    ///< with a part of them, as on file systems that write the bytes before the length
    zeros,  ///< with zeros for some of them, as on those that do not
  };
  /// After the database was closed. Of each file what was synced stays; files whose directory was
  /// not synced may be gone.
  void lose_power(SplitMix64& dice, Tail tail);

  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t syncs() const;
  [[nodiscard]] std::uint64_t failed() const;

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;
  struct State {
    std::uint64_t written = 0;
    std::uint64_t synced = 0;
    bool entry_synced = false;
  };
  rocksdb::IOStatus attempt(Operation operation);
  void written(const std::string& name, std::uint64_t bytes);
  void synced(const std::string& name);
  void directory_synced(const std::string& name);
  rocksdb::IOStatus follow(const std::string& name, std::unique_ptr<rocksdb::FSWritableFile>* file);

  mutable std::mutex mutex_;
  std::map<std::string, State> files_;
  Operation failing_ = Operation::any;
  Fault fault_ = Fault::io_error;
  std::uint64_t fail_from_ = 0;
  std::uint64_t fail_left_ = 0;
  std::uint64_t stop_from_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace postern::store_test
