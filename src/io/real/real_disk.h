#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/disk.h"
#include "io/real/fd.h"
#include "io/worker.h"

namespace postern::io {

/// POSIX files below one directory. Each file keeps to one of the workers, so that its operations
/// stay in order while a slow sync delays only a part of the others.
class RealDisk final : public Disk {
 public:
  /// Creates the directory (not its parents) with mode 0700 when it is missing.
  static Result<std::unique_ptr<RealDisk>> open_directory(const std::string& path,
                                                          std::vector<Worker*> workers);
  RealDisk(Fd directory, std::vector<Worker*> workers);

  Task<Result<std::unique_ptr<File>>> create(std::string name) override;
  Task<Result<std::unique_ptr<File>>> open(std::string name) override;
  Task<Result<>> rename(std::string from, std::string to) override;
  Task<Result<>> remove(std::string name) override;
  Task<Result<>> make_directory(std::string name) override;
  Task<Result<>> sync_directory(std::string name) override;
  Task<Result<std::vector<std::string>>> list(std::string name) override;
  Task<Result<std::uint64_t>> size_bytes(std::string name) override;
  Task<Result<std::uint64_t>> free_bytes() override;

 private:
  Worker& next_worker();
  /// `call` returns 0 or an errno; runs on a worker.
  Task<Result<>> simple(std::string doing, std::move_only_function<int()> call);
  Task<Result<std::unique_ptr<File>>> open_file(std::string name, int flags, std::string doing);

  Fd directory_;
  std::vector<Worker*> workers_;
  std::size_t next_ = 0;
};

}  // namespace postern::io
