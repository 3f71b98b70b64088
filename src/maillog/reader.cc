#include "maillog/reader.h"

#include "base/text.h"
#include "maillog/dialects.h"

namespace postern::maillog {
namespace {

struct Tag {
  std::string_view host;
  std::string_view program;  ///< "postfix/smtpd"
  std::string_view message;
};

/// "gw postfix/smtpd[1201]: connect from ..."
std::optional<Tag> split_tag(std::string_view rest) {
  const auto host = take_until(rest, " ");
  if (!host) return std::nullopt;
  const std::size_t end = rest.find_first_of("[: ");
  if (end == std::string_view::npos || rest[end] == ' ') return std::nullopt;
  Tag tag{.host = *host, .program = rest.substr(0, end), .message = {}};
  rest.remove_prefix(end);
  if (rest.front() == '[' && !take_until(rest, "]")) return std::nullopt;
  if (!take(rest, ": ")) return std::nullopt;
  // Solaris and some others: "[ID 197553 mail.info] ".
  if (rest.starts_with("[ID ") && !take_until(rest, "] ")) return std::nullopt;
  tag.message = rest;
  return tag;
}

std::string_view last_part(std::string_view program) {
  const std::size_t slash = program.rfind('/');
  return slash == std::string_view::npos ? program : program.substr(slash + 1);
}

bool is_postfix(std::string_view program) {
  return program.find('/') != std::string_view::npos;
}

bool is_exim(std::string_view program) {
  return program.starts_with("exim");
}

bool is_sendmail(std::string_view program) {
  return program == "sendmail" || program == "sm-mta" || program == "mta";
}

/// Exim's own files have a time and no tag: a queue id, a host, or one of a few words.
bool looks_like_exim(std::string_view rest) {
  return rest.starts_with("H=") || rest.starts_with("no host name found for ") ||
         rest.starts_with("SMTP ") || rest.starts_with('[') || rest.find(" H=") < 64 ||
         is_exim_queue_id(rest.substr(0, rest.find(' ')));
}

}  // namespace

std::string_view writer_name(Writer writer) {
  switch (writer) {
    case Writer::unknown:
      return "unknown";
    case Writer::postfix:
      return "postfix";
    case Writer::exim:
      return "exim";
    case Writer::sendmail:
      return "sendmail";
  }
  return "";
}

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::unknown:
      return "";
    case Stage::connect:
      return "CONNECT";
    case Stage::helo:
      return "HELO";
    case Stage::mail:
      return "MAIL";
    case Stage::rcpt:
      return "RCPT";
    case Stage::data:
      return "DATA";
    case Stage::end_of_data:
      return "END-OF-MESSAGE";
    case Stage::other:
      return "OTHER";
  }
  return "";
}

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::other:
      return "other";
    case Reason::no_ptr:
      return "no-ptr";
    case Reason::unconfirmed:
      return "no-confirmed-name";
    case Reason::unanswered:
      return "unanswered";
  }
  return "";
}

Entry Reader::read(std::string_view line) {
  Entry entry;
  // RFC 5424 section 6.2.1: relays may leave the priority in front.
  if (line.starts_with('<') && line.find('>') < 5) line.remove_prefix(line.find('>') + 1);
  auto stamp = time_.read(line);
  if (!stamp) return entry;
  entry.kind = Entry::Kind::irrelevant;
  entry.time = stamp->time;
  if (const auto tag = split_tag(stamp->rest)) {
    entry.host = tag->host;
    if (is_sendmail(tag->program)) {
      entry.writer = Writer::sendmail;
      read_sendmail(tag->message, entry);
      return entry;
    }
    if (is_exim(tag->program)) {
      // Exim repeats its own time for syslog unless it is told not to.
      const auto own = time_.read(tag->message);
      if (own) entry.time = own->time;
      entry.writer = Writer::exim;
      read_exim(own ? own->rest : tag->message, entry);
      return entry;
    }
    if (is_postfix(tag->program)) {
      entry.writer = Writer::postfix;
      read_postfix(last_part(tag->program), tag->message, entry);
      return entry;
    }
  }
  if (ascii_digit(line.front()) && looks_like_exim(stamp->rest)) {
    entry.host = {};  // what stood in its place is no host
    entry.writer = Writer::exim;
    read_exim(stamp->rest, entry);
  }
  return entry;
}

std::optional<std::string_view> take_until(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return before;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<IpAddress> address_in(std::string_view text) {
  if (take(text, "[")) {
    const auto inside = take_until(text, "]");
    if (!inside) return std::nullopt;
    text = *inside;
  }
  if (starts_with_ignoring_case(text, "IPv6:")) text.remove_prefix(5);
  return IpAddress::parse(text);
}

bool take_reply(std::string_view reply, Entry& entry) {
  if (reply.size() < 3 || !ascii_digit(reply[0]) || !ascii_digit(reply[1]) ||
      !ascii_digit(reply[2]))
    return false;
  entry.code = (reply[0] - '0') * 100 + (reply[1] - '0') * 10 + (reply[2] - '0');
  entry.temporary = entry.code / 100 == 4;
  reply.remove_prefix(3);
  take(reply, " ");
  const std::string_view word = reply.substr(0, reply.find(' '));
  // RFC 3463 section 2: class "." subject "." detail.
  const bool enhanced = word.size() >= 5 && ascii_digit(word[0]) && word[1] == '.' &&
                        word.find_first_not_of("0123456789.") == std::string_view::npos;
  if (enhanced) {
    entry.enhanced = word;
    reply.remove_prefix(word.size());
    take(reply, " ");
  }
  entry.text = reply;
  return true;
}

}  // namespace postern::maillog
