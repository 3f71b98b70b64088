#include "app/log_files.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zlib.h>

#include "base/text.h"

namespace postern::app {
namespace {

constexpr unsigned buffer_bytes = 64 * 1024;
static_assert(buffer_bytes > LogLines::line_bytes_max);

}  // namespace

struct LogLines::Gz {
  explicit Gz(gzFile opened) : file(opened) {}
  Gz(const Gz&) = delete;
  Gz& operator=(const Gz&) = delete;
  ~Gz() { gzclose(file); }

  gzFile file;
};

Result<LogFile> LogFile::find(const std::string& path, WallTime now) {
  if (path == "-") return LogFile{.path = path, .written_until = now, .bytes = 0};
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0)
    return operator_failure(
        Cause::not_found, fmt::format("cannot read {}: {}", printable(path), std::strerror(errno)));
  if (S_ISDIR(about.st_mode))
    return operator_failure(
        Cause::other, fmt::format("{} is a directory; name the log files in it", printable(path)));
  return LogFile{.path = path,
                 .written_until = WallTime(seconds(about.st_mtim.tv_sec)),
                 .bytes = static_cast<std::uint64_t>(about.st_size)};
}

LogLines::LogLines(std::string path, std::unique_ptr<Gz> file)
    : path_(std::move(path)),
      file_(std::move(file)),
      buffer_(buffer_bytes),
      rest_(buffer_.data(), 0) {}
LogLines::LogLines(LogLines&&) noexcept = default;
LogLines& LogLines::operator=(LogLines&&) noexcept = default;
LogLines::~LogLines() = default;

Result<LogLines> LogLines::open(const LogFile& file) {
  // zlib reads what is not compressed as it is.
  const gzFile opened =
      file.path == "-" ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(file.path.c_str(), "rb");
  if (opened == nullptr)
    return operator_failure(
        Cause::no_permission,
        fmt::format("cannot read {}: {}", printable(file.path), std::strerror(errno)));
  gzbuffer(opened, buffer_bytes);
  return LogLines(file.path, std::make_unique<Gz>(opened));
}

Result<std::optional<std::string_view>> LogLines::next() {
  while (true) {
    std::string_view line = rest_;
    if (const std::size_t end = rest_.find('\n'); end != std::string_view::npos) {
      line = rest_.substr(0, end);
      rest_.remove_prefix(end + 1);
    } else if (rest_.size() <= line_bytes_max) {
      TRY(const bool more, fill());
      if (more) continue;
      rest_.remove_prefix(rest_.size());
      if (line.empty()) return std::nullopt;
    } else {
      rest_.remove_prefix(rest_.size());
      if (std::exchange(passing_over_, true)) continue;
      return line.substr(0, line_bytes_max);
    }
    if (std::exchange(passing_over_, false)) continue;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line.substr(0, line_bytes_max);
  }
}

/// Puts more behind the rest, which begins the buffer then. False: there is no more.
Result<bool> LogLines::fill() {
  std::memmove(buffer_.data(), rest_.data(), rest_.size());
  const std::size_t kept = rest_.size();
  const int got =
      gzread(file_->file, buffer_.data() + kept, buffer_bytes - static_cast<unsigned>(kept));
  rest_ = {buffer_.data(), kept + static_cast<std::size_t>(std::max(got, 0))};
  int code = Z_OK;
  const char* why = gzerror(file_->file, &code);
  if (got < 0)
    return operator_failure(Cause::damaged,
                            fmt::format("{} cannot be read to its end: {}", printable(path_),
                                        code == Z_ERRNO ? std::strerror(errno) : why));
  // A cut gzip stream ends like a whole one, but for this.
  if (got == 0 && code != Z_OK && code != Z_STREAM_END)
    return operator_failure(Cause::damaged,
                            fmt::format("{} is cut off: {}", printable(path_), why));
  at_ = static_cast<std::uint64_t>(gzoffset(file_->file));
  return got > 0;
}

}  // namespace postern::app
