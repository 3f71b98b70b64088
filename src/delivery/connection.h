#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "delivery/outcome.h"
#include "delivery/surroundings.h"
#include "queue/queue.h"
#include "smtp/client_machine.h"

namespace postern::delivery {

/// One connection to one target: drives a ClientMachine over the network. One task uses it at a
/// time; close() may come from another task of the shard.
class Connection {
 public:
  Connection(Reach& reach, Target target) : reach_(reach), target_(std::move(target)) {}

  /// Connects, greets, and starts TLS when offered. nullopt: ready for messages. Otherwise what
  /// happened. A failed handshake is tried once more in the clear: encryption is opportunistic,
  /// and mail that used to arrive must not stop when a server offers what it cannot do.
  io::Task<std::optional<Outcome>> open();

  /// One transaction. `message` and `content` outlive the call. Outcomes in the order of the
  /// message's recipients.
  io::Task<std::vector<smtp::ClientOutcome>> deliver(smtp::ClientMessage message,
                                                     queue::Content& content);
  /// Asks whether the server would take mail from `sender` (empty: the null reverse path) for the
  /// recipient, by a transaction that ends before DATA.
  io::Task<smtp::ClientOutcome> ask(std::string_view sender, const mail::Recipient& recipient);
  /// Ends the connection as RFC 5321 wants it, when it still stands.
  io::Task<> quit();
  /// Ends whatever is under way, at once. Waiting operations end as cancelled.
  void close();

  /// Another message may be given.
  [[nodiscard]] bool usable() const { return usable_; }
  /// The server had ended the connection before it saw the last message.
  [[nodiscard]] bool untouched() const { return machine_ && machine_->untouched(); }
  [[nodiscard]] std::uint32_t messages() const { return messages_; }
  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] bool passes_dsn_on() const { return machine_ && machine_->extensions().dsn; }

 private:
  io::Task<std::optional<Outcome>> open_once(smtp::ClientTls tls);
  io::Task<std::vector<smtp::ClientOutcome>> transact(smtp::ClientMessage message,
                                                      queue::Content* content);
  /// Until the machine is ready, has a message done, or the connection is closed.
  io::Task<smtp::ClientAction::Kind> drive(queue::Content* content);
  io::Task<> read(const smtp::ClientAction& action);
  io::Task<> write(const smtp::ClientAction& action);
  io::Task<> give_content(queue::Content& content);
  io::Task<> start_tls(const smtp::ClientAction& action);

  Reach& reach_;
  Target target_;
  std::unique_ptr<io::Stream> stream_;
  std::optional<smtp::ClientMachine> machine_;
  io::Deadline reply_deadline_ = io::Deadline::never();
  std::array<char, 2048> buffer_;
  std::uint32_t messages_ = 0;
  bool usable_ = false;
  bool closed_ = false;  // by close()
};

}  // namespace postern::delivery
