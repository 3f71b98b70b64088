#include "app/log_files.h"

#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"

namespace postern::app {
namespace {

constexpr unsigned buffer_bytes = 256 * 1024;

struct Close {
  void operator()(gzFile file) const { gzclose(file); }
};
using Gz = std::unique_ptr<gzFile_s, Close>;

}  // namespace

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

Result<> LogFile::read(const OnLine& on_line) const {
  // zlib reads what is not compressed as it is.
  const Gz file(path == "-" ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb"));
  if (!file)
    return operator_failure(Cause::no_permission, fmt::format("cannot read {}: {}", printable(path),
                                                              std::strerror(errno)));
  gzbuffer(file.get(), buffer_bytes);
  std::string buffer(buffer_bytes, '\0');
  std::string carried;  // the beginning of a line whose end was not read yet
  bool passing_over = false;
  while (true) {
    const int got = gzread(file.get(), buffer.data(), buffer_bytes);
    if (got < 0) {
      int code = 0;
      const char* why = gzerror(file.get(), &code);
      return operator_failure(Cause::damaged,
                              fmt::format("{} cannot be read to its end: {}", printable(path),
                                          code == Z_ERRNO ? std::strerror(errno) : why));
    }
    if (got == 0) break;
    const auto at = static_cast<std::uint64_t>(gzoffset(file.get()));
    std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      if (end == std::string_view::npos) {
        if (!passing_over) carried.append(rest);
        passing_over = carried.size() > line_bytes_max;
        break;
      }
      std::string_view whole = rest.substr(0, end);
      if (!carried.empty()) whole = carried.append(whole);
      if (whole.ends_with('\r')) whole.remove_suffix(1);
      if (on_line(whole.substr(0, line_bytes_max), at) == Go::end) return {};
      carried.clear();
      passing_over = false;
      rest.remove_prefix(end + 1);
    }
  }
  if (!carried.empty()) on_line(carried, bytes);
  // A cut gzip stream ends like a whole one, but for this.
  int code = Z_OK;
  const char* why = gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END)
    return operator_failure(Cause::damaged, fmt::format("{} is cut off: {}", printable(path), why));
  return {};
}

}  // namespace postern::app
