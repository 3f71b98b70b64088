#include "lab/dialogue.h"

#include <array>
#include <charconv>
#include <fmt/format.h>

#include "base/text.h"

namespace postern::lab {
namespace {

constexpr std::size_t line_bytes_max = 2000;
constexpr std::size_t reply_lines_max = 100;
constexpr Duration step_time = std::chrono::seconds(30);

}  // namespace

io::Task<Result<std::unique_ptr<Dialogue>>> Dialogue::open(const io::World& world, IpAddress from,
                                                           Endpoint to) {
  CO_TRY(auto stream, co_await world.network.connect(to, world.clock.in(step_time), &from));
  std::unique_ptr<Dialogue> dialogue(new Dialogue(world, std::move(stream)));
  CO_TRY_VOID(co_await dialogue->read_reply());
  co_return dialogue;
}

io::Task<Result<DialogueReply>> Dialogue::command(std::string line) {
  transcript_ += "C: " + line + "\n";
  line += "\r\n";
  CO_TRY_VOID(co_await stream_->write_all(line, world_.clock.in(step_time)));
  co_return co_await read_reply();
}

io::Task<Result<DialogueReply>> Dialogue::content(std::string_view content) {
  std::string sent;
  while (!content.empty()) {
    const auto end = content.find('\n');
    std::string_view line = content.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string stuffed = (line.starts_with('.') ? "." : "") + std::string(line);
    transcript_ += "C: " + stuffed + "\n";
    sent += stuffed + "\r\n";
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
  }
  transcript_ += "C: .\n";
  sent += ".\r\n";
  CO_TRY_VOID(co_await stream_->write_all(sent, world_.clock.in(step_time)));
  co_return co_await read_reply();
}

io::Task<Result<DialogueReply>> Dialogue::read_reply() {
  DialogueReply reply;
  for (;;) {
    CO_TRY(std::string line, co_await read_line());
    transcript_ += "S: " + printable(line, line_bytes_max) + "\n";
    const auto parsed = std::from_chars(
        line.data(), line.data() + std::min<std::size_t>(3, line.size()), reply.code);
    if (parsed.ec != std::errc{} || reply.lines.size() >= reply_lines_max)
      co_return peer_failure(Cause::other, "not an SMTP reply: " + printable(line));
    const bool more = line.size() > 3 && line[3] == '-';
    reply.lines.push_back(std::move(line));
    if (!more) co_return reply;
  }
}

io::Task<Result<std::string>> Dialogue::read_line() {
  for (;;) {
    if (const auto end = input_.find("\r\n"); end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 2);
      co_return line;
    }
    if (input_.size() > line_bytes_max)
      co_return peer_failure(Cause::limit, "the server's line is too long");
    std::array<char, 1024> buffer;
    CO_TRY(const std::size_t got, co_await stream_->read_some(buffer, world_.clock.in(step_time)));
    if (got == 0) co_return peer_failure(Cause::closed, "the server closed the connection");
    input_.append(buffer.data(), got);
  }
}

}  // namespace postern::lab
