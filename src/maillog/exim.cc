#include <algorithm>

#include "base/text.h"
#include "maillog/dialects.h"

namespace postern::maillog {
namespace {

using Kind = Entry::Kind;

/// "mail.example.com (helo.example) [192.0.2.1]:25 I=[...]" behind "H=". A confirmed name stands in
/// front, HELO in brackets when it differs.
bool take_host(std::string_view& rest, Entry& entry) {
  std::size_t bracket = 0;
  if (rest.starts_with('(')) {
    rest.remove_prefix(1);
    const auto helo = take_until(rest, ") [");
    if (!helo) return false;
    entry.helo = *helo;
  } else {
    const std::size_t end = rest.find(' ');
    if (end == std::string_view::npos) return false;
    if (!rest.starts_with('[')) {
      entry.client_name = rest.substr(0, end);
      entry.helo = entry.client_name;
      rest.remove_prefix(end + 1);
    }
    if (take(rest, "(")) {
      const auto helo = take_until(rest, ") [");
      if (!helo) return false;
      entry.helo = *helo;
    } else {
      bracket = 1;
    }
  }
  if (bracket != 0 && !take(rest, "[")) return false;
  const auto address = take_until(rest, "]");
  const auto parsed = address ? IpAddress::parse(*address) : std::nullopt;
  if (!parsed) return false;
  entry.client = *parsed;
  return true;
}

Reason reason_of(std::string_view text) {
  if (text.find("host lookup deferred") != std::string_view::npos ||
      text.find("host lookup did not complete") != std::string_view::npos)
    return Reason::unanswered;
  if (text.find("failed to find host name from IP address") != std::string_view::npos)
    return Reason::no_ptr;
  if (text.find("host lookup failed") != std::string_view::npos) return Reason::unconfirmed;
  return Reason::other;
}

Stage stage_of(std::string_view words) {
  if (words.starts_with("RCPT")) return Stage::rcpt;
  if (words.starts_with("MAIL")) return Stage::mail;
  if (words.starts_with("EHLO") || words.starts_with("HELO")) return Stage::helo;
  if (words.starts_with("connection")) return Stage::connect;
  if (words.starts_with("DATA")) return Stage::data;
  if (words.starts_with("after DATA") || words.starts_with("during MIME"))
    return Stage::end_of_data;
  return Stage::other;
}

/// "H=... F=<a@example.com> temporarily rejected RCPT <b@example.net>: host lookup failed"
void read_rejection(std::string_view message, Entry& entry) {
  std::string_view after = message;
  if (!take_until(after, "H=") || !take_host(after, entry)) return;
  const auto fields = take_until(after, "rejected ");
  // What a next hop answered to mail of the log's own server stands behind its host, too.
  if (!fields || fields->find("SMTP error from") != std::string_view::npos) return;
  std::string_view before = *fields;
  entry.temporary = before.ends_with("temporarily ");
  entry.stage = stage_of(after);
  if (std::string_view from = before; take_until(from, " F=<")) {
    if (const auto sender = take_until(from, ">")) {
      entry.sender = *sender;
      entry.sender_told = true;
    }
  }
  entry.authenticated = before.find(" A=") != std::string_view::npos;
  // The address may hold ": " itself, so it ends at its bracket.
  const std::size_t open = after.find_first_of("<:");
  if (entry.stage == Stage::rcpt && open != std::string_view::npos && after[open] == '<') {
    after.remove_prefix(open + 1);
    auto recipient = take_until(after, ">: ");
    if (!recipient) recipient = take_until(after, ">");
    if (!recipient) return;
    entry.recipient = *recipient;
  } else if (entry.stage == Stage::mail && open != std::string_view::npos && after[open] == '<') {
    after.remove_prefix(open + 1);
    const auto sender = take_until(after, ">");
    if (!sender) return;
    entry.sender = *sender;
    entry.sender_told = true;
    take(after, ": ");
  } else if (!take_until(after, ": ")) {
    after = {};
  }
  entry.kind = Kind::refused;
  entry.reason = reason_of(after);
  entry.text = after;
}

/// "<= a@example.com H=mail.example.com [192.0.2.1] P=esmtps S=1234 id=... for b@example.net"
void read_arrival(std::string_view rest, Entry& entry) {
  const std::string_view sender = rest.substr(0, rest.find(' '));
  rest.remove_prefix(sender.size());
  std::string_view host = rest;
  if (!take_until(host, " H=") || !take_host(host, entry)) return;  // not from the network
  entry.kind = Kind::accepted;
  entry.sender = sender == "<>" ? std::string_view{} : sender;
  entry.sender_told = true;
  entry.authenticated = host.find(" A=") != std::string_view::npos;
}

/// "=> bob <bob@example.net> R=... T=...": the address of the envelope stands in brackets when the
/// mailbox is called something else.
std::string_view recipient_of(std::string_view rest) {
  const std::string_view fields = rest.substr(0, rest.find(" R="));
  const std::size_t open = fields.rfind(" <");
  if (open != std::string_view::npos && fields.ends_with('>'))
    return fields.substr(open + 2, fields.size() - open - 3);
  return fields.substr(0, fields.find_first_of(" :"));
}

void read_message(std::string_view id, std::string_view rest, Entry& entry) {
  entry.queue_id = id;
  if (take(rest, "<= "))
    read_arrival(rest, entry);
  else if (take(rest, "=> ") || take(rest, "-> ") || take(rest, ">> "))
    entry.kind = Kind::delivered;
  else if (take(rest, "== "))
    entry.kind = Kind::deferred;
  else if (take(rest, "** "))
    entry.kind = Kind::bounced;
  else if (rest == "Completed")
    entry.kind = Kind::ended;
  if (entry.kind == Kind::delivered || entry.kind == Kind::deferred || entry.kind == Kind::bounced)
    entry.recipient = recipient_of(rest);
}

}  // namespace

bool is_exim_queue_id(std::string_view word) {
  if (word.size() != 16 && word.size() != 23) return false;
  const std::size_t second = word.size() == 16 ? 13 : 18;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (i == 6 || i == second ? word[i] != '-' : !ascii_alnum(word[i])) return false;
  return true;
}

void read_exim(std::string_view message, Entry& entry) {
  // log_selector = +pid
  if (message.starts_with('[') && message.find("] ") < 12) take_until(message, "] ");
  std::string_view rest = message;
  const std::string_view first = message.substr(0, message.find(' '));
  if (is_exim_queue_id(first)) {
    rest.remove_prefix(std::min(first.size() + 1, rest.size()));
    // A client in front is one whose message was refused after all of it had come.
    if (!rest.starts_with("H=")) return read_message(first, rest, entry);
  }
  if (take(rest, "SMTP connection from ")) {
    std::string_view host = rest;
    if (take_host(host, entry)) entry.kind = Kind::connected;
    return;
  }
  read_rejection(message, entry);
}

}  // namespace postern::maillog
