#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "smtp/server_machine.h"

namespace postern::smtp {

/// For tests and fuzzers: drives a server machine with bytes in chunks of a given size and writes
/// down what it did. Accepts everything but clients, senders and recipients whose name begins with
/// "no" (550).
class ServerScript {
 public:
  explicit ServerScript(ServerOptions options = {},
                        ServerMachine::TlsOffer tls = ServerMachine::TlsOffer::none,
                        ServerMachine::Trust trust = {},
                        const std::optional<Reply>& turned_away = std::nullopt)
      : options_(named(std::move(options))), machine(options_, tls) {
    machine.trust(trust);
    if (turned_away) machine.refuse_session(*turned_away);
    run();
  }

  /// Feeds `bytes`, `chunk` at a time, 0: all at once.
  ServerScript& feed(std::string_view bytes, std::size_t chunk = 0) {
    while (!bytes.empty() && !closed) {
      const std::string_view part = bytes.substr(0, chunk == 0 ? bytes.size() : chunk);
      bytes.remove_prefix(part.size());
      machine.feed(part);
      run();
    }
    return *this;
  }

  /// Continues until the machine wants input or is at its end.
  void run() {
    while (!closed) {
      auto action = machine.next();
      if (const auto* read = std::get_if<ServerMachine::Read>(&action)) {
        last_read = *read;
        return;
      }
      take(action);
    }
  }

  /// Replies not looked at yet.
  std::string replies() { return std::exchange(sent, std::string()); }
  std::string first_digits() {
    std::string digits;
    for (std::size_t at = 0; at + 3 < sent.size(); at = sent.find('\n', at) + 1)
      if (sent[at + 3] == ' ') digits += (digits.empty() ? "" : " ") + sent.substr(at, 3);
    sent.clear();
    return digits;
  }

  std::string sent;
  std::vector<std::string> messages;  ///< contents that were taken
  std::vector<mail::Envelope> envelopes;
  std::vector<ClientAttributes> clients;   ///< that a proxy named
  std::vector<ForwardedClient> forwarded;  ///< at each MAIL that had one
  std::size_t drops = 0;
  std::size_t handshakes = 0;
  std::size_t writes = 0;
  bool closed = false;
  ServerMachine::Read last_read;

 private:
  static ServerOptions named(ServerOptions options) {
    options.hostname = "gw.example.com";
    return options;
  }
  void take(const ServerMachine::Action& action) {
    if (const auto* send = std::get_if<ServerMachine::Send>(&action)) {
      sent += send->bytes;
      ++writes;
    } else if (std::holds_alternative<ServerMachine::CheckHelo>(action)) {
      decide(machine.helo());
    } else if (const auto* named = std::get_if<ServerMachine::NameClient>(&action)) {
      clients.push_back(*named->attributes);
      machine.accept();
    } else if (const auto* mail = std::get_if<ServerMachine::CheckMail>(&action)) {
      if (machine.forwarded() != nullptr) forwarded.push_back(*machine.forwarded());
      decide(mail->envelope->reverse_path);
    } else if (const auto* rcpt = std::get_if<ServerMachine::CheckRcpt>(&action)) {
      decide(rcpt->recipient->address);
    } else if (const auto* start = std::get_if<ServerMachine::StartData>(&action)) {
      envelope_ = *start->envelope;
      content_.clear();
      machine.accept();
    } else if (const auto* body = std::get_if<ServerMachine::Body>(&action)) {
      content_ += body->bytes;
    } else if (std::holds_alternative<ServerMachine::EndData>(action)) {
      messages.push_back(content_);
      envelopes.push_back(envelope_);
      machine.answer({250, {2, 0, 0}, "Queued"});
    } else if (std::holds_alternative<ServerMachine::DropTransaction>(action)) {
      ++drops;
    } else if (std::holds_alternative<ServerMachine::StartTls>(action)) {
      ++handshakes;
      machine.tls_started();
    } else if (std::holds_alternative<ServerMachine::Close>(action)) {
      closed = true;
    }
  }
  void decide(std::string_view address) {
    if (address.starts_with("no"))
      machine.answer({550, {5, 7, 1}, "No"});
    else
      machine.accept();
  }

  ServerOptions options_;
  mail::Envelope envelope_;
  std::string content_;

 public:
  ServerMachine machine;
};

}  // namespace postern::smtp
