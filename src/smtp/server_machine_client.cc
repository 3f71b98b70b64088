// Who the client is: how it greets, and the commands by which a trusted one says for whom it
// speaks.

#include <utility>

#include "smtp/server_machine.h"
#include "smtp/server_replies.h"

namespace postern::smtp {

std::optional<ServerMachine::Action> ServerMachine::on_helo(const Command& command,
                                                            Greeting greeting) {
  auto name = parse_helo(command.argument);
  if (!name) {
    say_error(name.error());
    return std::nullopt;
  }
  if (!pending().empty()) ++unsynchronized_;
  if (!may_idle()) return std::nullopt;
  helo_ = *std::move(name);
  asked_greeting_ = greeting;
  state_ = State::asking_helo;
  return CheckHelo{};
}

void ServerMachine::answer_helo(const Reply& reply) {
  // RFC 5321 section 4.1.4: a refused greeting leaves the session as it was before it.
  if (reply.is_positive()) {
    // RFC 5321 section 4.1.4: a second greeting resets the transaction as RSET does.
    reset_transaction();
    greeting_ = asked_greeting_;
    refusal_.reset();
    sender_refused_ = false;
  } else {
    refusal_ = std::make_unique<const Reply>(reply);
  }
  say(reply);
  state_ = State::command;
}

std::optional<ServerMachine::Action> ServerMachine::on_xclient(const Command& command) {
  if (!trust_.xclient) {
    say_error(replies::not_trusted("XCLIENT"));
  } else if (transaction_) {
    say_error(replies::within_transaction("XCLIENT"));
  } else if (auto attributes = parse_xclient(command.argument); !attributes) {
    say_error(attributes.error());
  } else if (may_idle()) {
    attributes_ = std::make_unique<ClientAttributes>(*std::move(attributes));
    // XCLIENT_README: what XCLIENT itself says of the greeting counts as said by the client.
    helo_ = attributes_->helo.value_or("");
    asked_greeting_ =
        helo_.empty() ? Greeting::none : attributes_->protocol.value_or(Greeting::helo);
    state_ = State::asking_client;
    return NameClient{attributes_.get()};
  }
  return std::nullopt;
}

void ServerMachine::answer_client(const Reply& reply) {
  // XCLIENT_README: as at the start of a connection.
  attributes_.reset();
  reset_transaction();
  sender_refused_ = false;
  errors_ = 0;
  unsynchronized_ = 0;
  greeting_ = reply.is_positive() ? asked_greeting_ : Greeting::none;
  refusal_ = reply.is_positive() ? nullptr : std::make_unique<const Reply>(reply);
  turned_away_ = !reply.is_positive() && !reply.is_temporary();
  state_ = State::command;
  say(reply);
}

void ServerMachine::on_xforward(const Command& command) {
  if (!trust_.xforward) return say_error(replies::not_trusted("XFORWARD"));
  if (transaction_) return say_error(replies::within_transaction("XFORWARD"));
  auto forwarded = parse_xforward(command.argument, forwarded_ ? *forwarded_ : ForwardedClient());
  if (!forwarded) return say_error(forwarded.error());
  if (!may_idle()) return;
  forwarded_ = std::make_unique<ForwardedClient>(*std::move(forwarded));
  say(replies::ok());
}

}  // namespace postern::smtp
