#include <algorithm>

#include "base/text.h"
#include "maillog/dialects.h"

namespace postern::maillog {
namespace {

using Kind = Entry::Kind;

/// The value behind "NAME=" up to the next ", ", or to the end. Values may hold commas: `last`
/// takes all that is left.
std::string_view field(std::string_view message, std::string_view name, bool last = false) {
  std::size_t at = message.starts_with(name) ? 0 : std::string_view::npos;
  if (at != 0) {
    for (at = message.find(name); at != std::string_view::npos; at = message.find(name, at + 1))
      if (at >= 2 && message.substr(at - 2, 2) == ", ") break;
  }
  if (at == std::string_view::npos) return {};
  const std::string_view value = message.substr(at + name.size());
  return last ? value : value.substr(0, value.find(", "));
}

std::string_view without_brackets(std::string_view address) {
  if (address.size() >= 2 && address.front() == '<' && address.back() == '>')
    return address.substr(1, address.size() - 2);
  return address;
}

/// "mail.example.com [192.0.2.1]", "[192.0.2.1]", "bad.example.com [192.0.2.52] (may be forged)"
bool take_relay(std::string_view relay, Entry& entry) {
  const std::size_t open = relay.find('[');
  if (open == std::string_view::npos) return false;
  const auto address = address_in(relay.substr(open));
  if (!address) return false;
  entry.client = *address;
  const std::string_view name = trim(relay.substr(0, open));
  const bool forged = relay.find("(may be forged)") != std::string_view::npos;
  entry.client_name = forged ? std::string_view{} : name;
  return true;
}

void read_ruleset(std::string_view message, Entry& entry) {
  const std::string_view ruleset = field(message, "ruleset=");
  const std::string_view reply = field(message, "reject=", true);
  if (reply.empty() || !take_relay(field(message, "relay="), entry) || !take_reply(reply, entry))
    return;
  entry.kind = Kind::refused;
  const std::string_view argument = without_brackets(field(message, "arg1="));
  if (ruleset == "check_rcpt") {
    entry.stage = Stage::rcpt;
    entry.recipient = argument;
  } else if (ruleset == "check_mail") {
    entry.stage = Stage::mail;
    entry.sender = argument;
    entry.sender_told = true;
  } else {
    entry.stage = ruleset == "check_relay" ? Stage::connect : Stage::other;
  }
  if (entry.text.find("Fix reverse DNS") != std::string_view::npos)
    entry.reason = Reason::no_ptr;
  else if (entry.text.find("possibly forged") != std::string_view::npos)
    entry.reason = Reason::unconfirmed;
}

void read_delivery(std::string_view message, Entry& entry) {
  const std::string_view status = field(message, "stat=", true);
  if (status.starts_with("Sent"))
    entry.kind = Kind::delivered;
  else if (status.starts_with("Deferred"))
    entry.kind = Kind::deferred;
  else if (!status.starts_with("queued") && !status.empty())
    entry.kind = Kind::bounced;
  entry.recipient = without_brackets(field(message, "to="));
}

}  // namespace

void read_sendmail(std::string_view message, Entry& entry) {
  const auto id = take_until(message, ": ");
  if (!id || id->empty() || !std::ranges::all_of(*id, ascii_alnum)) return;
  entry.queue_id = *id;
  if (message.starts_with("ruleset=")) {
    read_ruleset(message, entry);
  } else if (message.starts_with("from=")) {
    if (!take_relay(field(message, "relay="), entry)) return;
    entry.kind = Kind::accepted;
    entry.sender = without_brackets(field(message, "from="));
    entry.sender_told = true;
  } else if (message.starts_with("to=")) {
    read_delivery(message, entry);
  }
}

}  // namespace postern::maillog
