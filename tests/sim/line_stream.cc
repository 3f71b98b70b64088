#include "line_stream.h"

#include <array>

namespace postern::sim {
namespace {

constexpr std::size_t input_bytes_max = 4 << 20;
constexpr std::size_t reply_lines_max = 100;

}  // namespace

io::Task<Result<>> LineStream::fill() {
  input_.erase(0, std::exchange(taken_, 0));
  if (input_.size() > input_bytes_max) co_return peer_failure(Cause::limit, "too much at once");
  std::array<char, 4096> buffer;
  CO_TRY(const std::size_t count, co_await stream_->read_some(buffer, clock_.in(patience_)));
  if (count == 0) co_return peer_failure(Cause::closed, "the peer closed the connection");
  input_.append(buffer.data(), count);
  co_return Result<>{};
}

io::Task<Result<std::string>> LineStream::line() {
  std::size_t end = 0;
  while ((end = input_.find("\r\n", taken_)) == std::string::npos) CO_TRY_VOID(co_await fill());
  std::string taken = input_.substr(taken_, end - taken_);
  taken_ = end + 2;
  co_return taken;
}

io::Task<Result<std::string>> LineStream::content() {
  std::string bytes;
  while (true) {
    CO_TRY(std::string next, co_await line());
    if (next == ".") co_return bytes;
    bytes += next.starts_with('.') ? next.substr(1) : next;
    bytes += "\r\n";
  }
}

io::Task<Result<std::string>> LineStream::reply() {
  std::string all;
  for (std::size_t count = 0; count < reply_lines_max; ++count) {
    CO_TRY(std::string next, co_await line());
    if (next.size() < 3) co_return peer_failure(Cause::other, "not a reply: " + next);
    all += (all.empty() ? "" : "\n") + next;
    if (next.size() == 3 || next[3] == ' ') co_return all;
  }
  co_return peer_failure(Cause::limit, "a reply without end");
}

io::Task<Result<>> LineStream::send(std::string bytes) {
  co_return co_await stream_->write_all(bytes, clock_.in(patience_));
}

}  // namespace postern::sim
