#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "smtp/server_script.h"

using namespace postern::smtp;

/// Any bytes: no crash, the same replies and messages in any chunks, every reply well formed.
/// STARTTLS is not offered, since bytes in its own write are rightly answered otherwise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes + 1), size - 1);
  ServerOptions options;
  options.message_bytes_max = 2000;
  options.recipients_max = 3;
  options.errors_max = 10;
  options.bare_newline = bytes[0] & 1 ? BareNewline::normalize : BareNewline::refuse;
  std::optional<Reply> turned_away;
  if ((bytes[0] & 6) == 6) turned_away = Reply(554, {5, 7, 25}, "no");
  const ServerMachine::Trust trust{.xclient = (bytes[0] & 8) != 0,
                                   .xforward = (bytes[0] & 16) != 0};
  ServerScript whole(options, ServerMachine::TlsOffer::none, trust, turned_away);
  whole.feed(text);
  ServerScript parts(options, ServerMachine::TlsOffer::none, trust, turned_away);
  parts.feed(text, 1 + bytes[0] % 5);
  CHECK(whole.sent == parts.sent);
  CHECK(whole.messages == parts.messages);
  CHECK(whole.envelopes == parts.envelopes);
  CHECK(whole.clients == parts.clients);
  CHECK(whole.forwarded == parts.forwarded);
  CHECK(whole.closed == parts.closed);
  ReplyReader reader;
  std::string_view sent = whole.sent;
  while (!sent.empty()) {
    sent.remove_prefix(reader.feed(sent));
    CHECK(reader.state() == ReplyReader::State::complete);
    (void)reader.take();
  }
  return 0;
}
