#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/task.h"

namespace postern::io {

/// An open file. The operations run off the shard (io/worker.h) and resume on it; one at a time for
/// each file. Errors: Blame::us, temporary; Cause::no_space, not_found, no_permission, damaged
/// (short read) or other.
class File {
 public:
  virtual ~File() = default;  ///< closes without syncing
  virtual Task<Result<>> append(std::string_view bytes) = 0;
  /// Up to into.size() bytes from `offset`; fewer only at the end of the file, then possibly 0.
  virtual Task<Result<std::size_t>> read_at(std::uint64_t offset, std::span<char> into) = 0;
  /// The bytes written so far survive a crash; the file's name only after Disk::sync_directory.
  virtual Task<Result<>> sync() = 0;
};

/// The file system below one directory that is ours. Names are relative to it, without "..".
class Disk {
 public:
  virtual ~Disk() = default;
  /// A new, empty file; it is an error when the name is taken. Mode 0600.
  virtual Task<Result<std::unique_ptr<File>>> create(std::string name) = 0;
  virtual Task<Result<std::unique_ptr<File>>> open(std::string name) = 0;
  /// Both the old and the new name may exist after a crash before sync_directory.
  virtual Task<Result<>> rename(std::string from, std::string to) = 0;
  virtual Task<Result<>> remove(std::string name) = 0;
  virtual Task<Result<>> make_directory(std::string name) = 0;  ///< no error when it exists
  virtual Task<Result<>> sync_directory(std::string name) = 0;
  /// Names of the entries of a directory, sorted.
  virtual Task<Result<std::vector<std::string>>> list(std::string name) = 0;
  virtual Task<Result<std::uint64_t>> size_bytes(std::string name) = 0;
  virtual Task<Result<std::uint64_t>> free_bytes() = 0;
};

}  // namespace postern::io
