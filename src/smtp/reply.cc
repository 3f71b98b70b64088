#include "smtp/reply.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace postern::smtp {
namespace {

/// What one reply line holds; nullopt when it is none.
struct ReplyLine {
  int code = 0;
  bool last = true;
  std::string_view text;
};

std::optional<ReplyLine> parse_reply_line(std::string_view line) {
  // RFC 5321 section 4.2: Reply-code = %x32-35 %x30-35 %x30-39. The second digit is not insisted
  // on.
  if (line.size() < 3 || line[0] < '2' || line[0] > '5') return std::nullopt;
  if (!ascii_digit(line[1]) || !ascii_digit(line[2])) return std::nullopt;
  ReplyLine result;
  result.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (line.size() == 3) return result;
  if (line[3] != ' ' && line[3] != '-') return std::nullopt;
  result.last = line[3] == ' ';
  result.text = line.substr(4);
  return result;
}

/// RFC 2034 section 4: the enhanced status stands on every line and agrees with the code's class.
std::optional<EnhancedStatus> take_status(int code, std::string_view& text) {
  std::string_view rest = text;
  const auto status = EnhancedStatus::take(rest);
  if (!status || status->status_class != code / 100) return std::nullopt;
  text = rest;
  return status;
}

void append_safely(std::string& out, std::string_view text, std::size_t length_max) {
  for (const char c : text.substr(0, length_max)) out += ascii_printable(c) ? c : '?';
}

}  // namespace

std::optional<Reply> Reply::parse_line(std::string_view line) {
  const auto parsed = parse_reply_line(line);
  if (!parsed) return std::nullopt;
  Reply reply;
  reply.code = parsed->code;
  std::string_view text = parsed->text;
  reply.enhanced = take_status(reply.code, text);
  reply.lines.emplace_back(text);
  return reply;
}

std::string Reply::format() const {
  // RFC 5321 section 4.5.3.1.5: a reply line of ours is 512 octets at most, all included.
  constexpr std::size_t text_bytes_max = 512 - 4 - 2;
  const std::string status = enhanced ? enhanced->text() + " " : std::string();
  const std::size_t count = std::max<std::size_t>(lines.size(), 1);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += std::to_string(code);
    out += i + 1 < count ? '-' : ' ';
    out += status;
    if (i < lines.size()) append_safely(out, lines[i], text_bytes_max - status.size());
    out += "\r\n";
  }
  return out;
}

std::string Reply::text() const {
  std::string out = std::to_string(code);
  if (enhanced) out += " " + enhanced->text();
  bool first = true;
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    out += first ? " " : "; ";
    first = false;
    append_safely(out, line, reply_line_bytes_max);
  }
  return out;
}

std::size_t ReplyReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::incomplete) {
    const std::string_view rest = bytes.substr(used);
    const std::size_t end = rest.find('\n');
    const std::size_t length = end == std::string_view::npos ? rest.size() : end + 1;
    if (line_.size() + length > reply_line_bytes_max) {
      state_ = State::malformed;
      break;
    }
    line_ += rest.substr(0, length);
    used += length;
    if (end != std::string_view::npos) end_line();
  }
  return used;
}

void ReplyReader::end_line() {
  std::string_view line = line_;
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto parsed = parse_reply_line(line);
  // RFC 5321 section 4.2.1: all lines of a reply carry the same code.
  if (!parsed || (reply_.code != 0 && parsed->code != reply_.code) ||
      reply_.lines.size() >= reply_lines_max) {
    state_ = State::malformed;
    return;
  }
  std::string_view text = parsed->text;
  const auto status = take_status(parsed->code, text);
  if (reply_.code == 0) reply_.enhanced = status;
  reply_.code = parsed->code;
  reply_.lines.emplace_back(text);
  line_.clear();
  if (parsed->last) state_ = State::complete;
}

Reply ReplyReader::take() {
  CHECK(state_ == State::complete);
  state_ = State::incomplete;
  return std::exchange(reply_, Reply{});
}

}  // namespace postern::smtp
