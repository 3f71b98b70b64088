#include "session/trace_filter.h"

#include "base/text.h"
#include "mail/authentication_results.h"
#include "session/unknown_ip_field.h"

namespace postern::session {
namespace {

constexpr std::string_view empty_line = "\r\n";

/// Not a field, yet fields follow: a mailbox file's separator, which some hosts leave in front.
bool is_separator(std::string_view line) {
  return line.starts_with("From ") || line.starts_with(">From ");
}

}  // namespace

void TraceFilter::feed(std::string_view content, std::string& out) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (state_ == State::body) {
      out += content.substr(i);
      return;
    }
    step(content[i], out);
  }
}

void TraceFilter::finish(std::string& out) {
  if (!held_.empty()) decide(out);
  state_ = State::body;
}

void TraceFilter::step(char c, std::string& out) {
  switch (state_) {
    case State::line_start:
    case State::pass_start:
    case State::drop_start:
      return start_line(c, out);
    case State::holding:
      held_ += c;
      if (c == '\n') {
        state_ = State::line_start;
        // An empty line, alone in what is held: the header section ends.
        if (held_ == empty_line) {
          out += held_;
          held_.clear();
          state_ = State::body;
        }
      } else if (held_.size() >= held_bytes_max) {
        decide(out);
      }
      return;
    case State::passing:
      out += c;
      if (c == '\n') state_ = State::pass_start;
      return;
    case State::dropping:
      if (c == '\n') state_ = State::drop_start;
      return;
    case State::body:
      out += c;
      return;
  }
}

void TraceFilter::start_line(char c, std::string& out) {
  const bool folded = c == ' ' || c == '\t';
  if (folded && state_ == State::pass_start)
    state_ = State::passing;
  else if (folded && state_ == State::drop_start)
    state_ = State::dropping;
  else {
    if (!folded && !held_.empty()) decide(out);
    if (state_ != State::body) state_ = State::holding;
  }
  step(c, out);
}

void TraceFilter::decide(std::string& out) {
  const auto field = mail::HeaderReader(held_).next();
  if (!field && !began_ && !is_separator(held_)) {
    out.append(empty_line).append(held_);
    state_ = State::body;
  } else if (!field || stays(*field)) {
    out += held_;
    began_ = true;
    state_ = State::passing;
  } else {
    ++removed_count_;
    state_ = State::dropping;
  }
  held_.clear();
}

bool TraceFilter::stays(const mail::HeaderField& field) {
  if (equal_ignoring_case(field.name, "Received")) {
    ++received_count_;
    if (on_received_) on_received_(field.value);
  }
  // RFC 8601 section 5: a border host removes fields that claim to be its own. One that cannot be
  // read is removed too: it is of no use, and a lenient reader might find our name in it.
  if (equal_ignoring_case(field.name, "Authentication-Results"))
    return mail::authserv_claim(field.value, authserv_id_) == mail::AuthservClaim::other;
  // Only ours tells what we found. Whoever wrote one before us may be anybody.
  return !equal_ignoring_case(field.name, unknown_ip_field_name);
}

}  // namespace postern::session
