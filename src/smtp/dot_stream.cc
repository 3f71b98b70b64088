#include "smtp/dot_stream.h"

#include <algorithm>

namespace postern::smtp {
namespace {

/// Bytes that mean something besides themselves inside a line.
bool is_plain(char c) {
  return c != '\r' && c != '\n' && c != '\0';
}

}  // namespace

std::size_t DotReader::feed(std::string_view bytes, std::string& out) {
  std::size_t used = 0;
  while (used < bytes.size() && !ended()) {
    if (state_ == State::in_line) used += take_run(bytes.substr(used), out);
    if (used < bytes.size()) step(bytes[used++], out);
  }
  return used;
}

std::size_t DotReader::take_run(std::string_view bytes, std::string& out) {
  const auto end = std::ranges::find_if_not(bytes, is_plain);
  const auto length = static_cast<std::size_t>(end - bytes.begin());
  put(bytes.substr(0, length), out);
  return length;
}

void DotReader::step(char c, std::string& out) {
  switch (state_) {
    case State::line_start:
      if (c == '.') {
        state_ = State::dot;
        return;
      }
      return on_text(c, out);
    case State::dot:
      return on_dot(c, out);
    case State::dot_cr:
      return on_dot_cr(c, out);
    case State::cr:
      return on_cr(c, out);
    case State::in_line:
      return on_text(c, out);
    case State::ended:
      return;
  }
}

void DotReader::on_dot(char c, std::string& out) {
  if (c == '\r') {
    state_ = State::dot_cr;
    return;
  }
  // RFC 5321 section 4.5.2: when other characters follow on the line, the first dot is deleted.
  on_text(c, out);
}

void DotReader::on_dot_cr(char c, std::string& out) {
  if (c == '\n') {
    state_ = State::ended;
    return;
  }
  bare(Fault::bare_cr, out);
  on_text(c, out);
}

void DotReader::on_cr(char c, std::string& out) {
  if (c == '\n') {
    put("\r\n", out);
    line_bytes_ = 0;
    state_ = State::line_start;
    return;
  }
  bare(Fault::bare_cr, out);
  on_text(c, out);
}

void DotReader::on_text(char c, std::string& out) {
  state_ = State::in_line;
  switch (c) {
    case '\r':
      state_ = State::cr;
      return;
    case '\n':
      return bare(Fault::bare_lf, out);
    case '\0':
      // RFC 6152 section 3: content is octets other than NUL. Passed on, the next hop might refuse
      // it, and the report would be ours to send; refused here, the sender's own host reports.
      return set_fault(Fault::nul);
    default:
      return put(std::string_view(&c, 1), out);
  }
}

void DotReader::put(std::string_view text, std::string& out) {
  const std::size_t room = options_.line_bytes_max - std::min(line_bytes_, options_.line_bytes_max);
  if (fault_ == Fault::none) out += text.substr(0, room);
  line_bytes_ += text.size();
  if (line_bytes_ > options_.line_bytes_max) set_fault(Fault::line_too_long);
}

void DotReader::bare(Fault fault, std::string& out) {
  // RFC 5321 section 2.3.8: CR and LF occur in lines only together, as their end.
  if (options_.bare_newline == BareNewline::refuse) set_fault(fault);
  put("\r\n", out);
  line_bytes_ = 0;
}

void DotReader::set_fault(Fault fault) {
  if (fault_ == Fault::none) fault_ = fault;
}

void DotWriter::write(std::string_view content, std::string& out) {
  while (!content.empty()) {
    if (line_start_ && content.front() == '.') out += '.';
    const std::size_t end = content.find('\n');
    const std::size_t length = end == std::string_view::npos ? content.size() : end + 1;
    out += content.substr(0, length);
    line_start_ = end != std::string_view::npos;
    last_ = content[length - 1];
    content.remove_prefix(length);
  }
}

void DotWriter::finish(std::string& out) {
  if (last_ != '\n') out += "\r\n";
  out += ".\r\n";
}

}  // namespace postern::smtp
