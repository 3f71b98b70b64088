#include "faulty_file_system.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace postern::store_test {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class FaultyFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(FaultyFileSystem& system, std::string name, std::unique_ptr<rocksdb::FSWritableFile> target)
      : FSWritableFileOwnerWrapper(std::move(target)), system_(system), name_(std::move(name)) {}

  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  IODebugContext* debug) override {
    if (IOStatus status = system_.attempt(Operation::append); !status.ok()) return status;
    IOStatus status = target()->Append(bytes, options, debug);
    if (status.ok()) system_.written(name_, bytes.size());
    return status;
  }
  IOStatus Append(const rocksdb::Slice& bytes, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    // The real sync is left out: what a power failure takes is decided by lose_power().
    if (IOStatus status = system_.attempt(Operation::sync); !status.ok()) return status;
    IOStatus status = target()->Flush(options, debug);
    if (status.ok()) system_.synced(name_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  FaultyFileSystem& system_;
  std::string name_;
};

class FaultyFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultyFileSystem& system, std::string name,
            std::unique_ptr<rocksdb::FSDirectory> target)
      : FSDirectoryWrapper(std::move(target)), system_(system), name_(std::move(name)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (IOStatus status = system_.attempt(Operation::sync); !status.ok()) return status;
    system_.directory_synced(name_);
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultyFileSystem& system_;
  std::string name_;
};

FaultyFileSystem::FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

void FaultyFileSystem::fail(Operation operation, Fault fault, std::uint64_t first,
                            std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  failing_ = operation;
  fault_ = fault;
  seen_ = 0;
  fail_from_ = first;
  fail_left_ = count;
}

void FaultyFileSystem::stop_after(std::uint64_t first) {
  const std::lock_guard lock(mutex_);
  stop_from_ = operations_ + first;
}

void FaultyFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  fail_left_ = 0;
  stop_from_ = 0;
}

IOStatus FaultyFileSystem::attempt(Operation operation) {
  const std::lock_guard lock(mutex_);
  ++operations_;
  if (operation == Operation::sync) ++syncs_;
  if (stop_from_ != 0 && operations_ >= stop_from_) {
    ++failed_;
    return IOStatus::IOError("the machine is off");
  }
  if (fail_left_ == 0 || (failing_ != Operation::any && failing_ != operation))
    return IOStatus::OK();
  if (++seen_ < fail_from_) return IOStatus::OK();
  --fail_left_;
  ++failed_;
  return fault_ == Fault::no_space ? IOStatus::NoSpace("no space left on device")
                                   : IOStatus::IOError("input/output error");
}

void FaultyFileSystem::written(const std::string& name, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  files_[name].written += bytes;
}

void FaultyFileSystem::synced(const std::string& name) {
  const std::lock_guard lock(mutex_);
  files_[name].synced = files_[name].written;
}

void FaultyFileSystem::directory_synced(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const std::string directory = std::filesystem::path(name).lexically_normal().string();
  for (auto& [file, state] : files_)
    if (std::filesystem::path(file).parent_path().lexically_normal().string() == directory)
      state.entry_synced = true;
}

IOStatus FaultyFileSystem::follow(const std::string& name,
                                  std::unique_ptr<rocksdb::FSWritableFile>* file) {
  *file = std::make_unique<File>(*this, name, std::move(*file));
  return IOStatus::OK();
}

IOStatus FaultyFileSystem::NewWritableFile(const std::string& name,
                                           const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                                           IODebugContext* debug) {
  if (IOStatus status = attempt(Operation::append); !status.ok()) return status;
  rocksdb::FileOptions plain = options;
  plain.use_mmap_writes = false;
  if (IOStatus status = target()->NewWritableFile(name, plain, file, debug); !status.ok())
    return status;
  {
    const std::lock_guard lock(mutex_);
    files_[name] = {};
  }
  return follow(name, file);
}

IOStatus FaultyFileSystem::ReopenWritableFile(const std::string& name,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                                              IODebugContext* debug) {
  if (IOStatus status = attempt(Operation::append); !status.ok()) return status;
  if (IOStatus status = target()->ReopenWritableFile(name, options, file, debug); !status.ok())
    return status;
  {
    const std::lock_guard lock(mutex_);
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(name, error);
    if (!files_.contains(name)) files_[name] = {size, size, true};
  }
  return follow(name, file);
}

IOStatus FaultyFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                                        IODebugContext* debug) {
  if (IOStatus status = target()->NewDirectory(name, options, directory, debug); !status.ok())
    return status;
  *directory = std::make_unique<Directory>(*this, name, std::move(*directory));
  return IOStatus::OK();
}

IOStatus FaultyFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                      IODebugContext* debug) {
  if (IOStatus status = attempt(Operation::append); !status.ok()) return status;
  IOStatus status = target()->DeleteFile(name, options, debug);
  const std::lock_guard lock(mutex_);
  if (status.ok()) files_.erase(name);
  return status;
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to,
                                      const IOOptions& options, IODebugContext* debug) {
  if (IOStatus status = attempt(Operation::append); !status.ok()) return status;
  IOStatus status = target()->RenameFile(from, to, options, debug);
  const std::lock_guard lock(mutex_);
  if (!status.ok()) return status;
  // A journaling file system orders a rename behind the sync of what is renamed.
  if (auto moved = files_.extract(from)) {
    moved.key() = to;
    moved.mapped().entry_synced = true;
    files_.erase(to);
    files_.insert(std::move(moved));
  }
  return status;
}

void FaultyFileSystem::lose_power(SplitMix64& dice, Tail tail) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, state] : files_) {
    // A directory entry that was never synced may be missing; the rest is as long as was kept.
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(name, error);
    if (error) continue;
    if (!state.entry_synced && dice.below(2) == 0) {
      std::filesystem::remove(name, error);
      continue;
    }
    const std::uint64_t whole = std::min(size, state.written);
    const std::uint64_t kept =
        whole <= state.synced ? whole : state.synced + dice.below(whole - state.synced + 1);
    std::filesystem::resize_file(name, kept, error);
    if (tail == Tail::zeros) std::filesystem::resize_file(name, whole, error);
  }
  files_.clear();
}

std::uint64_t FaultyFileSystem::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}
std::uint64_t FaultyFileSystem::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}
std::uint64_t FaultyFileSystem::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace postern::store_test
