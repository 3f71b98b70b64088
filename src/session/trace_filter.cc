#include "session/trace_filter.h"

#include "base/text.h"
#include "mail/authentication_results.h"
#include "session/unknown_ip_field.h"

namespace postern::session {

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
        if (held_ == "\r\n") {
          out += held_;
          held_.clear();
          state_ = State::body;
        }
      } else if (held_.size() >= held_bytes_max) {
        state_ = decide(out) ? State::passing : State::dropping;
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
    state_ = State::holding;
  }
  step(c, out);
}

bool TraceFilter::decide(std::string& out) {
  const std::size_t colon = held_.find(':');
  const std::string_view held(held_);
  // RFC 5322 section 4.5: obsolete syntax allows blanks before the colon, and readers accept them.
  const std::string_view name =
      colon == std::string::npos ? std::string_view() : trim(held.substr(0, colon));
  if (equal_ignoring_case(name, "Received")) {
    ++received_count_;
    if (on_received_) on_received_(held.substr(colon + 1));
  }
  // Only ours tells what we found. Whoever wrote one before us may be anybody.
  bool stays = !equal_ignoring_case(name, unknown_ip_field_name);
  // RFC 8601 section 5: a border host removes fields that claim to be its own. One that cannot be
  // read is removed too: it is of no use, and a lenient reader might find our name in it.
  if (equal_ignoring_case(name, "Authentication-Results"))
    stays =
        mail::authserv_claim(held.substr(colon + 1), authserv_id_) == mail::AuthservClaim::other;
  if (stays)
    out += held_;
  else
    ++removed_count_;
  held_.clear();
  return stays;
}

}  // namespace postern::session
