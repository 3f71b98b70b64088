#include "smtp/client_machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace postern::smtp {
namespace {

constexpr EnhancedStatus bad_protocol{4, 5, 0};
constexpr EnhancedStatus connection_lost{4, 4, 2};

ClientVerdict verdict_of(const Reply& reply) {
  if (reply.code >= 200 && reply.code < 300) return ClientVerdict::delivered;
  return reply.is_permanent() ? ClientVerdict::permanent : ClientVerdict::temporary;
}

std::string_view cause_text(Cause cause) {
  switch (cause) {
    case Cause::timed_out:
      return "timed out";
    case Cause::cancelled:
      return "we are shutting down";
    case Cause::closed:
      return "lost connection";
    default:
      return "connection failed";
  }
}

}  // namespace

std::string_view stage_name(ClientStage stage) {
  switch (stage) {
    case ClientStage::greeting:
      return "greeting";
    case ClientStage::hello:
      return "EHLO";
    case ClientStage::starttls:
      return "STARTTLS";
    case ClientStage::mail:
      return "MAIL FROM";
    case ClientStage::rcpt:
      return "RCPT TO";
    case ClientStage::data:
      return "DATA";
    case ClientStage::content:
      return "message content";
    case ClientStage::final:
      return "end of data";
    case ClientStage::rset:
      return "RSET";
    case ClientStage::idle:
      return "idle connection";
    case ClientStage::quit:
      return "QUIT";
  }
  CHECK(false);
}

ClientMachine::ClientMachine(ClientOptions options) : options_(std::move(options)) {
  expect(ClientStage::greeting);
}

// --- actions

ClientAction ClientMachine::next() {
  using Kind = ClientAction::Kind;
  if (message_done_) return {.kind = Kind::message_done};
  if (state_ == State::ended) return {.kind = Kind::close};
  const bool gathers = state_ == State::content && !dot_sent_ && out_.size() < write_bytes_wanted;
  if (gathers) return {.kind = Kind::content};
  if (!out_.empty())
    return {.kind = Kind::write, .bytes = out_, .timeout = options_.timeouts.block};
  switch (state_) {
    case State::handshake:
      return {.kind = Kind::start_tls, .timeout = options_.timeouts.hello};
    case State::ready:
      return {.kind = Kind::ready};
    case State::talking:
    case State::content:
    case State::ended:
      break;
  }
  CHECK(!all_answered());
  return {.kind = Kind::read,
          .timeout = timeout_of(expected_[expected_first_].stage),
          .new_wait = std::exchange(new_wait_, false)};
}

Duration ClientMachine::timeout_of(ClientStage stage) const {
  const ClientTimeouts& t = options_.timeouts;
  switch (stage) {
    case ClientStage::greeting:
      return t.greeting;
    case ClientStage::hello:
    case ClientStage::starttls:
      return t.hello;
    case ClientStage::mail:
      return t.mail;
    case ClientStage::rcpt:
      return t.rcpt;
    case ClientStage::data:
      return t.data;
    case ClientStage::content:
      return t.block;
    case ClientStage::final:
      return t.final;
    case ClientStage::rset:
      return t.rset;
    case ClientStage::idle:
    case ClientStage::quit:
      return t.quit;
  }
  CHECK(false);
}

// Where we are, for the text of a failure.
ClientStage ClientMachine::stage() const {
  if (state_ == State::content && !dot_sent_) return ClientStage::content;
  if (!all_answered()) return expected_[expected_first_].stage;
  return state_ == State::handshake ? ClientStage::starttls : ClientStage::idle;
}

// --- facts

void ClientMachine::received(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::ended) {
    if (state_ == State::handshake) {
      // Bytes behind the reply to STARTTLS were put there by somebody in the middle, so that they
      // would be taken for the server's first words under TLS.
      protocol_error(ClientStage::starttls, "sent more than its reply to STARTTLS");
      return;
    }
    bytes.remove_prefix(reader_.feed(bytes));
    if (reader_.state() == ReplyReader::State::malformed) {
      protocol_error(stage(), "sent something that is no reply");
      return;
    }
    if (reader_.state() != ReplyReader::State::complete) return;
    on_reply(reader_.take());
  }
}

void ClientMachine::written() {
  out_.clear();
}

void ClientMachine::closed(Cause cause) {
  if (state_ == State::ended) return;
  if (quitting_) {
    state_ = State::ended;
    return;
  }
  const ClientStage at = stage();
  std::string text{cause_text(cause)};
  if (at == ClientStage::content)
    text += " while sending ";
  else if (at == ClientStage::idle || at == ClientStage::greeting)
    text += " while waiting for the ";
  else
    text += " while waiting for the reply to ";
  text += at == ClientStage::idle ? "next command" : stage_name(at);
  // RFC 1047: the server may have taken the message; another copy is better than none.
  if (dot_sent_ && in_message_) text += "; the message may be delivered more than once";
  end_with(at, cause, Reply(421, connection_lost, std::move(text)), false);
}

void ClientMachine::tls_started() {
  CHECK(state_ == State::handshake);
  // RFC 3207 section 4.2: what the server offered in the clear is forgotten.
  tls_ = true;
  offered_ = {};
  reader_ = {};
  state_ = State::talking;
  send_hello(options_.protocol == ClientProtocol::lmtp ? "LHLO" : "EHLO");
}

void ClientMachine::tls_failed(std::string_view what) {
  CHECK(state_ == State::handshake);
  end_with(ClientStage::starttls, Cause::other,
           Reply(454, EnhancedStatus{4, 7, 5}, "TLS handshake failed: " + std::string(what)),
           false);
}

void ClientMachine::begin(ClientMessage message) {
  CHECK(state_ == State::ready && !in_message_ && !message_done_);
  CHECK(!message.recipients.empty() && message.recipients.size() <= recipients_max);
  message_ = std::move(message);
  outcomes_.assign(message_.recipients.size(), {});
  in_message_ = true;
  mail_sent_ = data_sent_ = dot_sent_ = false;
  rcpts_sent_ = accepted_ = message_replies_ = 0;
  dots_ = {};
  refuse_what_cannot_be_sent();
  if (message_done_) return;
  state_ = State::talking;
  if (needs_rset_) {
    out_ += "RSET\r\n";
    expect(ClientStage::rset);
    if (!offered_.pipelining) return;
  }
  send_commands();
}

void ClientMachine::content(std::string_view piece) {
  if (state_ == State::content) dots_.write(piece, out_);
}

void ClientMachine::content_end() {
  if (state_ != State::content) return;
  dots_.finish(out_);
  dot_sent_ = true;
  if (options_.protocol == ClientProtocol::smtp) {
    expect(ClientStage::final);
    return;
  }
  // RFC 2033 section 4.2: one reply for each recipient that was accepted, in their order.
  for (std::uint32_t i = 0; i < outcomes_.size(); ++i)
    if (outcomes_[i].verdict == ClientVerdict::undecided) expect(ClientStage::final, i);
}

void ClientMachine::content_failed() {
  if (state_ != State::content) return;
  end_with(ClientStage::content, Cause::cancelled,
           Reply(451, EnhancedStatus{4, 3, 0}, "the message cannot be read from our queue"), false);
}

void ClientMachine::message_taken() {
  CHECK(message_done_);
  message_done_ = false;
  message_ = {};
  outcomes_.clear();
}

void ClientMachine::quit() {
  CHECK(state_ == State::ready);
  // RFC 5321 section 4.1.1.10: the client says QUIT and waits for the reply before it closes.
  quitting_ = true;
  state_ = State::talking;
  out_ += "QUIT\r\n";
  expect(ClientStage::quit);
}

// --- replies, one function for each stage

void ClientMachine::on_reply(const Reply& reply) {
  new_wait_ = true;
  if (in_message_) ++message_replies_;
  const ClientStage at = stage();
  // RFC 5321 section 3.8: 421 may answer any command; the server closes the connection.
  if (reply.code == 421 && !quitting_) {
    end_with(at, Cause::closed, reply, true);
    return;
  }
  if (all_answered()) {
    // In the middle of the content a server may give up early: its word counts. At any other time
    // nothing was asked.
    if (state_ == State::content && !reply.is_positive())
      end_with(ClientStage::content, Cause::other, reply, true);
    else
      protocol_error(at, "sent a reply to no command");
    return;
  }
  const Expected answered = expected_[expected_first_++];
  if (all_answered()) {
    expected_.clear();
    expected_first_ = 0;
  }
  switch (answered.stage) {
    case ClientStage::greeting:
      return on_greeting(reply);
    case ClientStage::hello:
      return on_hello(reply);
    case ClientStage::starttls:
      return on_starttls(reply);
    case ClientStage::rset:
      return on_rset(reply);
    case ClientStage::mail:
      return on_mail(reply);
    case ClientStage::rcpt:
      return on_rcpt(reply, answered.recipient);
    case ClientStage::data:
      return on_data(reply);
    case ClientStage::final:
      return on_final(reply, answered.recipient);
    case ClientStage::quit:
      state_ = State::ended;
      return;
    case ClientStage::content:
    case ClientStage::idle:
      break;
  }
  CHECK(false);
}

void ClientMachine::on_greeting(const Reply& reply) {
  if (reply.code < 200 || reply.code >= 300) {
    end_with(ClientStage::greeting, Cause::other, reply, true);
    return;
  }
  send_hello(options_.protocol == ClientProtocol::lmtp ? "LHLO" : "EHLO");
}

void ClientMachine::send_hello(std::string_view verb) {
  out_ += verb;
  out_ += ' ';
  out_ += options_.hostname;
  out_ += "\r\n";
  expect(ClientStage::hello);
}

void ClientMachine::on_hello(const Reply& reply) {
  if (reply.code >= 200 && reply.code < 300) {
    if (!helo_tried_) offered_ = parse_extensions(reply);
    hello_done();
    return;
  }
  // RFC 5321 section 4.1.4: a server that does not know EHLO gets HELO; LMTP has no such past.
  const bool may_fall_back = options_.protocol == ClientProtocol::smtp && !tls_ && !helo_tried_;
  if (reply.is_permanent() && may_fall_back) {
    helo_tried_ = true;
    send_hello("HELO");
    return;
  }
  end_with(ClientStage::hello, Cause::other, reply, true);
}

void ClientMachine::hello_done() {
  const bool wants_tls =
      options_.tls == ClientTls::when_offered && offered_.starttls && !tls_ && !tls_refused_;
  if (!wants_tls) {
    state_ = State::ready;
    return;
  }
  out_ += "STARTTLS\r\n";
  expect(ClientStage::starttls);
}

void ClientMachine::on_starttls(const Reply& reply) {
  if (reply.code == 220) {
    state_ = State::handshake;
    return;
  }
  // RFC 3207 section 4: the server offered TLS and cannot do it now (454); opportunistic use goes
  // on in the clear.
  tls_refused_ = true;
  state_ = State::ready;
}

void ClientMachine::on_rset(const Reply& reply) {
  if (reply.code < 200 || reply.code >= 300) {
    end_with(ClientStage::rset, Cause::other, reply, true);
    return;
  }
  needs_rset_ = false;
  if (all_answered()) send_commands();
}

// Sends as much of the transaction as may be sent now. Called when all replies are in.
void ClientMachine::send_commands() {
  if (!mail_sent_) {
    mail_sent_ = true;
    append_mail(out_, message_.mail, offered_);
    expect(ClientStage::mail);
    if (!offered_.pipelining) return;
  }
  while (rcpts_sent_ < outcomes_.size()) {
    const std::uint32_t i = rcpts_sent_++;
    if (outcomes_[i].verdict != ClientVerdict::undecided) continue;
    append_rcpt(out_, *message_.recipients[i], offered_);
    expect(ClientStage::rcpt, i);
    if (!offered_.pipelining) return;
  }
  send_data();
}

// What follows once every recipient was named.
void ClientMachine::send_data() {
  if (message_.purpose == ClientPurpose::ask) {
    if (all_answered()) finish_message();
    return;
  }
  if (data_sent_ || (!offered_.pipelining && accepted_ == 0)) {
    finish_message();
    return;
  }
  // RFC 2920 section 3.1: DATA ends a group of commands.
  data_sent_ = true;
  out_ += "DATA\r\n";
  expect(ClientStage::data);
}

void ClientMachine::on_mail(const Reply& reply) {
  if (reply.code >= 200 && reply.code < 300) {
    needs_rset_ = true;
  } else {
    for (std::uint32_t i = 0; i < outcomes_.size(); ++i) decide(i, reply, ClientStage::mail);
  }
  if (all_answered()) send_commands();
}

void ClientMachine::on_rcpt(const Reply& reply, std::uint32_t recipient) {
  if (outcomes_[recipient].verdict == ClientVerdict::undecided) {
    const bool taken = reply.code >= 200 && reply.code < 300;
    if (taken) ++accepted_;
    // A recipient that is taken is decided by the answer to the content, when there will be one.
    if (!taken || message_.purpose == ClientPurpose::ask)
      decide(recipient, reply, ClientStage::rcpt);
  }
  if (all_answered()) send_commands();
}

void ClientMachine::on_data(const Reply& reply) {
  if (reply.code == 354 && accepted_ > 0) {
    state_ = State::content;
    return;
  }
  if (reply.code == 354) {
    // RFC 2920 section 3.1: a server that takes DATA although it refused every recipient gets a
    // lone dot, and its answer means nothing.
    dots_.finish(out_);
    dot_sent_ = true;
    if (options_.protocol == ClientProtocol::smtp)
      expect(ClientStage::final);
    else
      protocol_error(ClientStage::data, "took DATA without a recipient");
    return;
  }
  if (reply.is_positive()) {
    protocol_error(ClientStage::data, "answered DATA with neither 354 nor a refusal");
    return;
  }
  for (std::uint32_t i = 0; i < outcomes_.size(); ++i) decide(i, reply, ClientStage::data);
  finish_message();
}

void ClientMachine::on_final(const Reply& reply, std::uint32_t recipient) {
  if (reply.code >= 300 && reply.code < 400) {
    protocol_error(ClientStage::final, "answered the content with neither success nor a refusal");
    return;
  }
  if (options_.protocol == ClientProtocol::lmtp)
    decide(recipient, reply, ClientStage::final);
  else
    for (std::uint32_t i = 0; i < outcomes_.size(); ++i) decide(i, reply, ClientStage::final);
  if (!all_answered()) return;
  // RFC 5321 section 4.1.1.4: the end of data clears the server's buffers, whatever its answer.
  needs_rset_ = false;
  finish_message();
}

// --- outcomes

void ClientMachine::refuse_what_cannot_be_sent() {
  const MailParameters& mail = message_.mail;
  // RFC 1870 section 6.1: a message over the size that the server names need not be tried.
  if (offered_.size_bytes_max > 0 && mail.size_bytes > offered_.size_bytes_max)
    decide_undecided(
        ClientVerdict::permanent,
        Reply(552, {5, 3, 4},
              "the message has " + std::to_string(mail.size_bytes) + " bytes, the server takes " +
                  std::to_string(offered_.size_bytes_max)),
        ClientStage::mail, false);
  // RFC 6531 section 3.2: an internationalised message must not go to a server without SMTPUTF8.
  else if (mail.smtputf8 && !offered_.smtputf8)
    decide_undecided(ClientVerdict::permanent,
                     Reply(553, {5, 6, 7}, "the server does not take internationalised mail"),
                     ClientStage::mail, false);
  else if (!is_safe_address(mail.reverse_path))
    decide_undecided(ClientVerdict::permanent,
                     Reply(553, {5, 1, 7}, "the sender's address cannot be sent over SMTP"),
                     ClientStage::mail, false);
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    ClientOutcome& outcome = outcomes_[i];
    if (outcome.verdict != ClientVerdict::undecided ||
        is_safe_address(message_.recipients[i]->address))
      continue;
    outcome = {ClientVerdict::permanent, ClientStage::rcpt, false,
               Reply(553, {5, 1, 3}, "the recipient's address cannot be sent over SMTP"), false};
  }
  const bool any_left = std::ranges::any_of(
      outcomes_, [](const auto& o) { return o.verdict == ClientVerdict::undecided; });
  if (!any_left) finish_message();
}

void ClientMachine::decide(std::uint32_t recipient, const Reply& reply, ClientStage stage) {
  ClientOutcome& outcome = outcomes_[recipient];
  if (outcome.verdict != ClientVerdict::undecided) return;
  outcome.verdict = verdict_of(reply);
  // RFC 5321 section 4.5.3.1.10: an older server says 552 for too many recipients, where 452 is
  // meant. With another enhanced status it means what it says.
  const bool too_many = stage == ClientStage::rcpt && reply.code == 552 &&
                        (!reply.enhanced || reply.enhanced == EnhancedStatus{5, 5, 3});
  if (too_many) outcome.verdict = ClientVerdict::temporary;
  outcome.stage = stage;
  outcome.from_peer = true;
  outcome.reply = reply;
}

void ClientMachine::decide_undecided(ClientVerdict verdict, const Reply& reply, ClientStage stage,
                                     bool from_peer) {
  for (ClientOutcome& outcome : outcomes_)
    if (outcome.verdict == ClientVerdict::undecided)
      outcome = {verdict, stage, from_peer, reply, outcome.by_end};
}

void ClientMachine::finish_message() {
  in_message_ = false;
  message_done_ = true;
  if (state_ != State::ended) state_ = State::ready;
}

void ClientMachine::end_with(ClientStage stage, Cause cause, const Reply& reply, bool from_peer) {
  end_ = ClientEnd{stage, cause, from_peer, reply};
  state_ = State::ended;
  out_.clear();
  expected_.clear();
  expected_first_ = 0;
  if (!in_message_) return;
  // Refused content (a 5xx in its middle) is refused; a 5xx to RSET, or one with which the server
  // ends the connection as a whole, says nothing of the recipients.
  const bool of_message = stage == ClientStage::content && from_peer && reply.is_permanent();
  for (ClientOutcome& outcome : outcomes_)
    if (outcome.verdict == ClientVerdict::undecided) outcome.by_end = !of_message;
  decide_undecided(of_message ? ClientVerdict::permanent : ClientVerdict::temporary, reply, stage,
                   from_peer);
  finish_message();
}

void ClientMachine::protocol_error(ClientStage stage, std::string_view what) {
  end_with(stage, Cause::other, Reply(451, bad_protocol, "the server " + std::string(what)), false);
}

void ClientMachine::expect(ClientStage stage, std::uint32_t recipient) {
  expected_.push_back({stage, recipient});
}

}  // namespace postern::smtp
