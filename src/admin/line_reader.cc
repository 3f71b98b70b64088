#include "admin/line_reader.h"

#include <array>
#include <fmt/format.h>

namespace postern::admin {

io::Task<Result<std::string>> LineReader::next(io::Deadline deadline) {
  std::size_t searched = 0;
  std::array<char, 4096> block;
  while (true) {
    const auto end = pending_.find('\n', searched);
    if (end != std::string::npos && end < line_bytes_max_) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      co_return line;
    }
    searched = pending_.size();
    if (searched >= line_bytes_max_ || end != std::string::npos)
      co_return peer_failure(Cause::limit,
                             fmt::format("a line is longer than {} bytes", line_bytes_max_));
    CO_TRY(const std::size_t count, co_await stream_.read_some(block, deadline));
    if (count == 0) co_return peer_failure(Cause::closed, "the connection ended");
    pending_.append(block.data(), count);
  }
}

}  // namespace postern::admin
