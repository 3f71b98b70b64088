#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "smtp/client_machine.h"

namespace postern::smtp {
namespace {

// The input is the server's side: bytes as they are, but for 0xF0, which ends the connection.
class Fuzz {
 public:
  explicit Fuzz(std::uint8_t first)
      : machine_([&] {
          ClientOptions options;
          options.hostname = "gw.example.net";
          options.protocol = (first & 1) != 0 ? ClientProtocol::lmtp : ClientProtocol::smtp;
          return options;
        }()) {
    if ((first & 0x80) != 0) purpose_ = ClientPurpose::ask;
    recipients_.resize(1 + (first >> 1) % 5);
    for (auto& recipient : recipients_) recipient.address = "b@example.com";
  }

  void run(std::string_view input) {
    while (!ended_) {
      settle();
      if (ended_ || input.empty()) break;
      const auto next = static_cast<std::uint8_t>(input[0]);
      if (next == 0xf0) {
        machine_.closed(Cause::closed);
        input.remove_prefix(1);
        continue;
      }
      // Bytes that are no event, in runs whose length the input chooses too.
      const std::size_t length = std::min<std::size_t>(1 + next % 17, input.size());
      machine_.received(input.substr(0, length));
      input.remove_prefix(length);
    }
    if (!ended_) machine_.closed(Cause::timed_out);
    settle();
    CHECK(ended_);
  }

 private:
  void begin() {
    ClientMessage message;
    message.purpose = purpose_;
    message.mail.reverse_path = "a@example.org";
    message.mail.size_bytes = 100;
    for (const auto& recipient : recipients_) message.recipients.push_back(&recipient);
    machine_.begin(std::move(message));
    pieces_ = 0;
  }

  void take_outcomes() {
    CHECK(machine_.outcomes().size() == recipients_.size());
    for (const auto& outcome : machine_.outcomes())
      CHECK(outcome.verdict != ClientVerdict::undecided && outcome.reply.code != 0);
    machine_.message_taken();
  }

  void settle() {
    for (int steps = 0; steps < 100; ++steps) {
      const ClientAction action = machine_.next();
      switch (action.kind) {
        case ClientAction::Kind::read:
          CHECK(action.timeout > Duration{});
          return;
        case ClientAction::Kind::write:
          CHECK(!action.bytes.empty() &&
                action.bytes.size() < 2 * ClientMachine::write_bytes_wanted);
          CHECK(purpose_ == ClientPurpose::deliver || !action.bytes.contains("DATA"));
          machine_.written();
          break;
        case ClientAction::Kind::content:
          CHECK(purpose_ == ClientPurpose::deliver);
          if (++pieces_ > 3)
            machine_.content_end();
          else
            machine_.content(".line\r\n");
          break;
        case ClientAction::Kind::start_tls:
          machine_.tls_started();
          break;
        case ClientAction::Kind::ready:
          if (++messages_ > 4)
            machine_.quit();
          else
            begin();
          break;
        case ClientAction::Kind::message_done:
          take_outcomes();
          break;
        case ClientAction::Kind::close:
          ended_ = true;
          return;
      }
    }
    CHECK(false);
  }

  ClientPurpose purpose_ = ClientPurpose::deliver;
  ClientMachine machine_;
  std::vector<mail::Recipient> recipients_;
  int messages_ = 0;
  int pieces_ = 0;
  bool ended_ = false;
};

}  // namespace
}  // namespace postern::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  postern::smtp::Fuzz fuzz(bytes[0]);
  fuzz.run({reinterpret_cast<const char*>(bytes + 1), size - 1});
  return 0;
}
