#include "io/real/real_disk.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"
#include "io/real/failure.h"

namespace postern::io {
namespace {

/// Names are our own, so a bad one is a bug of ours.
bool stays_below(std::string_view name) {
  return !name.starts_with('/') && name.find("..") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

int write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

/// Number of bytes read, or a negative errno.
ssize_t read_fully(int fd, std::uint64_t offset, std::span<char> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

int list_directory(int at, const char* name, std::vector<std::string>& names) {
  const int fd = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  DIR* directory = ::fdopendir(fd);
  if (directory == nullptr) {
    ::close(fd);
    return ENOMEM;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view entry_name = entry->d_name;
    if (entry_name != "." && entry_name != "..") names.emplace_back(entry_name);
    errno = 0;
  }
  const int error_number = errno;
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return error_number;
}

int sync_directory_at(int at, const char* name) {
  const Fd fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return errno;
  return ::fsync(fd.get()) == 0 ? 0 : errno;
}

class RealFile final : public File {
 public:
  RealFile(Fd fd, std::string name, Worker& worker)
      : fd_(std::move(fd)), name_(std::move(name)), worker_(worker) {}

  Task<Result<>> append(std::string_view bytes) override {
    int error_number = 0;
    co_await worker_.run(
        [&error_number, fd = fd_.get(), bytes] { error_number = write_fully(fd, bytes); });
    if (error_number != 0) co_return disk_failure(error_number, "write to " + name_);
    co_return Result<>{};
  }
  Task<Result<std::size_t>> read_at(std::uint64_t offset, std::span<char> into) override {
    ssize_t count = 0;
    co_await worker_.run(
        [&count, fd = fd_.get(), offset, into] { count = read_fully(fd, offset, into); });
    if (count < 0) co_return disk_failure(static_cast<int>(-count), "read " + name_);
    co_return static_cast<std::size_t>(count);
  }
  Task<Result<>> sync() override {
    int error_number = 0;
    co_await worker_.run([&error_number, fd = fd_.get()] {
      if (::fdatasync(fd) != 0) error_number = errno;
    });
    if (error_number != 0) co_return disk_failure(error_number, "sync " + name_);
    co_return Result<>{};
  }

 private:
  Fd fd_;
  std::string name_;
  Worker& worker_;
};

}  // namespace

Result<std::unique_ptr<RealDisk>> RealDisk::open_directory(const std::string& path,
                                                           std::vector<Worker*> workers) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return disk_failure(errno, "make directory " + path);
  }
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return disk_failure(errno, "open directory " + path);
  return std::make_unique<RealDisk>(std::move(directory), std::move(workers));
}

RealDisk::RealDisk(Fd directory, std::vector<Worker*> workers)
    : directory_(std::move(directory)), workers_(std::move(workers)) {
  CHECK(!workers_.empty());
}

Worker& RealDisk::next_worker() {
  next_ = (next_ + 1) % workers_.size();
  return *workers_[next_];
}

Task<Result<>> RealDisk::simple(std::string doing, std::move_only_function<int()> call) {
  int error_number = 0;
  co_await next_worker().run([&error_number, &call] { error_number = call(); });
  if (error_number != 0) co_return disk_failure(error_number, doing);
  co_return Result<>{};
}

Task<Result<std::unique_ptr<File>>> RealDisk::open_file(std::string name, int flags,
                                                        std::string doing) {
  CHECK(stays_below(name));
  Worker& worker = next_worker();
  Fd fd;
  int error_number = 0;
  co_await worker.run([&fd, &error_number, &name, flags, at = directory_.get()] {
    fd = Fd(::openat(at, name.c_str(), flags | O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                     S_IRUSR | S_IWUSR));
    if (!fd.is_open()) error_number = errno;
  });
  if (error_number != 0) co_return disk_failure(error_number, doing);
  co_return std::make_unique<RealFile>(std::move(fd), std::move(name), worker);
}

Task<Result<std::unique_ptr<File>>> RealDisk::create(std::string name) {
  std::string doing = "create " + name;
  return open_file(std::move(name), O_CREAT | O_EXCL, std::move(doing));
}

Task<Result<std::unique_ptr<File>>> RealDisk::open(std::string name) {
  std::string doing = "open " + name;
  return open_file(std::move(name), 0, std::move(doing));
}

Task<Result<>> RealDisk::rename(std::string from, std::string to) {
  CHECK(stays_below(from) && stays_below(to));
  std::string doing = "rename " + from + " to " + to;
  return simple(std::move(doing), [at = directory_.get(), from, to] {
    return ::renameat(at, from.c_str(), at, to.c_str()) == 0 ? 0 : errno;
  });
}

Task<Result<>> RealDisk::remove(std::string name) {
  CHECK(stays_below(name));
  return simple("remove " + name, [at = directory_.get(), name] {
    return ::unlinkat(at, name.c_str(), 0) == 0 ? 0 : errno;
  });
}

Task<Result<>> RealDisk::make_directory(std::string name) {
  CHECK(stays_below(name));
  return simple("make directory " + name, [at = directory_.get(), name] {
    return ::mkdirat(at, name.c_str(), S_IRWXU) == 0 || errno == EEXIST ? 0 : errno;
  });
}

Task<Result<>> RealDisk::sync_directory(std::string name) {
  CHECK(stays_below(name));
  if (name.empty()) name = ".";
  return simple("sync directory " + name,
                [at = directory_.get(), name] { return sync_directory_at(at, name.c_str()); });
}

Task<Result<std::vector<std::string>>> RealDisk::list(std::string name) {
  CHECK(stays_below(name));
  if (name.empty()) name = ".";
  std::vector<std::string> names;
  CO_TRY_VOID(co_await simple("list directory " + name, [&names, &name, at = directory_.get()] {
    return list_directory(at, name.c_str(), names);
  }));
  co_return names;
}

Task<Result<std::uint64_t>> RealDisk::size_bytes(std::string name) {
  CHECK(stays_below(name));
  std::uint64_t size = 0;
  CO_TRY_VOID(co_await simple("look at " + name, [&size, &name, at = directory_.get()] {
    struct stat status{};
    if (::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    size = static_cast<std::uint64_t>(status.st_size);
    return 0;
  }));
  co_return size;
}

Task<Result<std::uint64_t>> RealDisk::free_bytes() {
  std::uint64_t free = 0;
  CO_TRY_VOID(co_await simple("look at the disk's free space", [&free, at = directory_.get()] {
    struct statvfs status{};
    if (::fstatvfs(at, &status) != 0) return errno;
    free = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    return 0;
  }));
  co_return free;
}

}  // namespace postern::io
