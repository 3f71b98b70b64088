#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "maillog/dialects.h"

namespace postern::maillog {
namespace {

using Kind = Entry::Kind;

/// "mail.example.com[192.0.2.1]" or, from postscreen, "[192.0.2.1]:4711": takes it off `text`.
bool take_client(std::string_view& text, Entry& entry) {
  const auto name = take_until(text, "[");
  if (!name) return false;
  const auto address = take_until(text, "]");
  if (!address) return false;
  const auto parsed = IpAddress::parse(*address);
  if (!parsed) return false;
  entry.client = *parsed;
  entry.client_name = *name == "unknown" ? std::string_view{} : *name;
  if (text.size() > 1 && text[0] == ':' && ascii_digit(text[1]))
    text.remove_prefix(std::min(text.find_first_not_of("0123456789", 1), text.size()));
  return true;
}

Stage stage_of(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, Stage>, 8> stages{
      {{"RCPT", Stage::rcpt},
       {"CONNECT", Stage::connect},
       {"MAIL", Stage::mail},
       {"EHLO", Stage::helo},
       {"HELO", Stage::helo},
       {"DATA", Stage::data},
       {"END-OF-MESSAGE", Stage::end_of_data},
       {"BDAT", Stage::data}}};
  for (const auto& [name, stage] : stages)
    if (name == word) return stage;
  return Stage::other;
}

/// The value of "from=<...>": up to the "> " or ">, " before the next key, since what stands
/// between may hold any character.
std::string_view value_of(std::string_view& rest) {
  static constexpr std::array<std::string_view, 5> next{"> to=<", "> proto=", "> helo=<", "> sasl_",
                                                        ">, "};
  std::size_t end = std::string_view::npos;
  for (const std::string_view key : next) end = std::min(end, rest.find(key));
  if (end == std::string_view::npos) end = rest.rfind('>');
  if (end == std::string_view::npos) end = rest.size();
  const std::string_view value = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return value;
}

/// "from=<a@example.com> to=<b@example.net> proto=ESMTP helo=<mail.example.com>"
void read_keys(std::string_view rest, Entry& entry) {
  while (!rest.empty()) {
    if (take(rest, "from=<")) {
      entry.sender = value_of(rest);
      entry.sender_told = true;
    } else if (take(rest, "to=<")) {
      entry.recipient = value_of(rest);
    } else if (take(rest, "helo=<")) {
      entry.helo = value_of(rest);
    } else {
      if (rest.starts_with("sasl_username=")) entry.authenticated = true;
      const std::size_t blank = rest.find(' ');
      if (blank == std::string_view::npos) return;
      rest.remove_prefix(blank);
    }
    rest.remove_prefix(std::min(rest.find_first_not_of(", "), rest.size()));
  }
}

/// "RCPT from unknown[192.0.2.10]: 450 4.7.25 Client host rejected: ...; from=<...> ..."
void read_reject(std::string_view rest, Entry& entry) {
  const auto stage = take_until(rest, " from ");
  if (!stage || !take_client(rest, entry) || !take(rest, ": ") || !take_reply(rest, entry)) return;
  entry.kind = Kind::refused;
  entry.stage = stage_of(*stage);
  std::string_view& text = entry.text;
  if (text.starts_with("Client host rejected: cannot find your hostname"))
    entry.reason = Reason::unconfirmed;
  else if (text.starts_with("Client host rejected: cannot find your reverse hostname"))
    entry.reason = Reason::no_ptr;
  std::size_t end = text.find("; from=<");
  for (const std::string_view key : {"; to=<", "; proto="}) end = std::min(end, text.find(key));
  if (end == std::string_view::npos) return;
  read_keys(text.substr(end + 2), entry);
  text = text.substr(0, end);
}

/// "NOQUEUE", or a queue id: hexadecimal, or the long form's letters and digits.
bool is_queue_id(std::string_view word) {
  return word.size() >= 5 && word.size() <= 20 && std::ranges::all_of(word, ascii_alnum);
}

void read_smtpd(std::string_view message, Entry& entry) {
  if (take(message, "connect from ") || take(message, "CONNECT from ")) {
    if (take_client(message, entry)) entry.kind = Kind::connected;
    return;
  }
  std::string_view rest = message;
  const auto id = take_until(rest, ": ");
  if (!id || !is_queue_id(*id)) return;
  if (take(rest, "client=")) {
    if (!take_client(rest, entry)) return;
    entry.kind = Kind::accepted;
    entry.queue_id = *id;
    entry.authenticated = rest.find("sasl_username=") != std::string_view::npos;
    return;
  }
  if (take(rest, "reject_warning: ")) {
    entry.warning_only = true;
    read_reject(rest, entry);
  } else if (take(rest, "reject: ")) {
    read_reject(rest, entry);
  }
}

/// "4ABC1234: to=<user@example.net>, relay=..., status=sent (250 ...)"
void read_delivery(std::string_view message, Entry& entry) {
  const auto id = take_until(message, ": ");
  if (!id || !is_queue_id(*id) || !take(message, "to=<")) return;
  const auto recipient = take_until(message, ">, ");
  if (!recipient) return;
  // What the client said, before aliases changed it.
  const auto original = take(message, "orig_to=<") ? take_until(message, ">, ") : std::nullopt;
  const std::size_t status = message.find("status=");
  if (status == std::string_view::npos) return;
  message.remove_prefix(status + 7);
  if (message.starts_with("sent"))
    entry.kind = Kind::delivered;
  else if (message.starts_with("deferred"))
    entry.kind = Kind::deferred;
  else if (message.starts_with("bounced") || message.starts_with("expired"))
    entry.kind = Kind::bounced;
  else
    return;
  entry.queue_id = *id;
  entry.recipient = original.value_or(*recipient);
}

void read_qmgr(std::string_view message, Entry& entry) {
  const auto id = take_until(message, ": ");
  if (!id || !is_queue_id(*id)) return;
  if (message == "removed") {
    entry.kind = Kind::ended;
    entry.queue_id = *id;
  } else if (take(message, "from=<")) {
    const auto sender = take_until(message, ">, ");
    if (!sender) return;
    entry.kind = Kind::sender;
    entry.queue_id = *id;
    entry.sender = *sender;
    entry.sender_told = true;
  }
}

}  // namespace

void read_postfix(std::string_view service, std::string_view message, Entry& entry) {
  if (service == "smtpd" || service == "postscreen" || service == "smtps" ||
      service == "submission")
    read_smtpd(message, entry);
  else if (service == "qmgr")
    read_qmgr(message, entry);
  else
    read_delivery(message, entry);
}

}  // namespace postern::maillog
