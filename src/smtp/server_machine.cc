#include "smtp/server_machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "smtp/server_replies.h"

namespace postern::smtp {
namespace {

/// What tells a binary PROXY protocol header, "\r\n\r\n\0\r\nQUIT\n" and more, after its two
/// empty lines.
constexpr std::string_view proxy_header_line("\0", 1);

}  // namespace

struct ServerMachine::Transaction {
  mail::Envelope envelope;
  std::size_t recipients_seen = 0;  // accepted or refused
  mail::Recipient recipient;        // the one asked about
  mail::Mailbox mailbox;
  DotReader reader;
  std::string content;  // read and not yet told to the driver
  std::uint64_t content_bytes = 0;
  std::optional<Reply> refusal;  // of the data; given at its end
};

ServerMachine::ServerMachine(const ServerOptions& options, TlsOffer tls)
    : options_(options), tls_(tls == TlsOffer::starttls ? Tls::offered : Tls::none) {}

ServerMachine::~ServerMachine() = default;

ServerMachine::Action ServerMachine::next() {
  while (true) {
    if (std::exchange(drop_due_, false)) return DropTransaction{};
    if (output_.size() > replies_held_bytes_max) return take_output();
    std::optional<Action> action;
    switch (state_) {
      case State::greeting:
        action = in_greeting();
        break;
      case State::command:
        action = in_command();
        break;
      case State::data:
        action = in_data_state();
        break;
      case State::handshake_due:
        action = in_handshake_due();
        break;
      case State::closing:
        action = in_closing();
        break;
      case State::asking_helo:
      case State::asking_client:
      case State::asking_mail:
      case State::asking_rcpt:
      case State::asking_start_data:
      case State::asking_end_data:
      case State::handshake:
        check_failed("next() while a question is open");
    }
    if (action) return *std::move(action);
  }
}

// --- states

std::optional<ServerMachine::Action> ServerMachine::in_greeting() {
  // RFC 5321 section 3.1: the client waits for the greeting. One that does not is a spam tool, or
  // plays another protocol's bytes into this port.
  if (!pending().empty()) {
    close_with(replies::early_talker());
  } else {
    say(replies::greeting(options_.hostname));
    state_ = State::command;
  }
  return std::nullopt;
}

std::optional<ServerMachine::Action> ServerMachine::in_command() {
  if (shutting_down_) {
    close_with(replies::shutting_down(options_.hostname));
    return std::nullopt;
  }
  const std::size_t before = pending().size();
  if (skipping_)
    skip_line();
  else if (const auto line = take_line())
    return take_command(*line);
  if (pending().size() != before) return std::nullopt;
  const bool partial = skipping_ || !pending().empty();
  return wait_for(partial ? Wait::rest_of_command : Wait::command);
}

std::optional<ServerMachine::Action> ServerMachine::in_data_state() {
  Transaction& transaction = *transaction_;
  transaction.content.clear();
  if (!pending().empty() && !transaction.reader.ended()) {
    consume(transaction.reader.feed(pending(), transaction.content));
    transaction.content_bytes += transaction.content.size();
    check_size();
    if (drop_due_) return std::nullopt;
    if (!transaction.refusal && !transaction.content.empty()) return Body{transaction.content};
  }
  if (transaction.reader.ended()) return end_of_data();
  return wait_for(Wait::data);
}

std::optional<ServerMachine::Action> ServerMachine::in_handshake_due() {
  if (!output_.empty()) return take_output();
  state_ = State::handshake;
  return StartTls{};
}

std::optional<ServerMachine::Action> ServerMachine::in_closing() {
  if (!output_.empty()) return take_output();
  return Close{};
}

// --- input

std::optional<ServerMachine::Action> ServerMachine::wait_for(Wait wait) {
  // RFC 2920 section 3.2: replies go out together once the input is used up.
  if (!output_.empty()) return take_output();
  return Read{wait, wait == Wait::data ? options_.data_timeout : options_.command_timeout};
}

void ServerMachine::feed(std::string_view bytes) {
  pending_ += bytes;
}

std::string_view ServerMachine::pending() const {
  return std::string_view(pending_).substr(pending_used_);
}

void ServerMachine::consume(std::size_t bytes) {
  pending_used_ += bytes;
  if (pending_used_ < pending_.size()) return;
  // An idle session holds no buffer.
  std::string().swap(pending_);
  pending_used_ = 0;
}

std::optional<std::string> ServerMachine::take_line() {
  const std::string_view input = pending();
  const std::size_t end = input.find('\n');
  const std::size_t length = end == std::string_view::npos ? input.size() : end + 1;
  if (length > command_line_bytes_max) {
    skipping_ = true;
    skip_line();
    return std::nullopt;
  }
  if (end == std::string_view::npos) {
    // What was used before this partial line is given back, so that a slow sender cannot make
    // the buffer grow.
    pending_.erase(0, std::exchange(pending_used_, 0));
    return std::nullopt;
  }
  std::string line(input.substr(0, length));
  consume(length);
  return line;
}

void ServerMachine::skip_line() {
  const std::size_t end = pending().find('\n');
  if (end == std::string_view::npos) {
    consume(pending().size());
    return;
  }
  consume(end + 1);
  skipping_ = false;
  say_error(replies::line_too_long());
}

std::optional<ServerMachine::Action> ServerMachine::take_command(std::string_view line) {
  line.remove_suffix(1);
  // RFC 5321 section 2.3.8: a lone LF ends no line. Taken as one by us and not by a host in front
  // of us, it would smuggle a command.
  const bool whole = line.ends_with('\r');
  if (whole) line.remove_suffix(1);
  if (!whole && options_.bare_newline == BareNewline::refuse) {
    say_error(replies::bare_line_feed());
    return std::nullopt;
  }
  if (line == proxy_header_line) {
    on_foreign();
    return std::nullopt;
  }
  if (std::ranges::any_of(line, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    say_error(replies::control_character());
    return std::nullopt;
  }
  const Command command = split_command(line);
  // RFC 5321 section 2.4: commands are ASCII; addresses have an answer of their own.
  const bool ascii = std::ranges::none_of(line, [](unsigned char c) { return c >= 0x80; });
  if (!ascii && command.verb != Verb::mail && command.verb != Verb::rcpt) {
    say_error(replies::beyond_ascii());
    return std::nullopt;
  }
  return dispatch(command);
}

std::optional<ServerMachine::Action> ServerMachine::dispatch(const Command& command) {
  // RFC 5321 section 3.1: a server that greets with 554 waits for QUIT and answers everything else
  // with 503.
  if (turned_away_ && command.verb != Verb::quit && command.verb != Verb::foreign) {
    say_error(replies::only_quit());
    return std::nullopt;
  }
  switch (command.verb) {
    case Verb::helo:
      return on_helo(command, Greeting::helo);
    case Verb::ehlo:
      return on_helo(command, Greeting::ehlo);
    case Verb::mail:
      return on_mail(command);
    case Verb::rcpt:
      return on_rcpt(command);
    case Verb::data:
      return on_data(command);
    case Verb::xclient:
      return on_xclient(command);
    case Verb::xforward:
      on_xforward(command);
      break;
    case Verb::rset:
      on_rset(command);
      break;
    case Verb::starttls:
      on_starttls(command);
      break;
    case Verb::quit:
      on_quit(command);
      break;
    case Verb::foreign:
      on_foreign();
      break;
    case Verb::noop:
    case Verb::vrfy:
    case Verb::help:
    case Verb::not_offered:
    case Verb::unknown:
      on_simple(command);
      break;
  }
  return std::nullopt;
}

// --- commands

std::optional<ServerMachine::Action> ServerMachine::on_mail(const Command& command) {
  if (refusal_) {
    say_error(*refusal_);
    return std::nullopt;
  }
  // RFC 5321 section 4.1.4: a client greets before it begins a transaction.
  if (greeting_ == Greeting::none) {
    say_error(replies::greet_first());
    return std::nullopt;
  }
  if (transaction_) {
    say_error(replies::nested_mail());
    return std::nullopt;
  }
  auto mail = parse_mail(command.argument, greeting_);
  if (!mail) {
    say_error(mail.error());
    return std::nullopt;
  }
  // RFC 1870 section 6.1: a declared size above the limit is refused at once.
  if (mail->size_bytes && *mail->size_bytes > options_.message_bytes_max) {
    say(replies::message_too_big(options_.message_bytes_max));
    return std::nullopt;
  }
  sender_refused_ = false;
  transaction_ = std::make_unique<Transaction>();
  transaction_->envelope = std::move(mail->envelope);
  state_ = State::asking_mail;
  return CheckMail{&transaction_->envelope};
}

std::optional<ServerMachine::Action> ServerMachine::on_rcpt(const Command& command) {
  if (!transaction_) {
    say_mail_first();
    return std::nullopt;
  }
  auto rcpt = parse_rcpt(command.argument, greeting_);
  if (!rcpt) {
    say_error(rcpt.error());
    return std::nullopt;
  }
  // RFC 5321 section 4.5.3.1.10: 452 for recipients beyond the limit. Refused ones count, so that
  // nobody tries addresses without end.
  if (transaction_->recipients_seen >= options_.recipients_max) {
    say(replies::too_many_recipients());
    return std::nullopt;
  }
  ++transaction_->recipients_seen;
  transaction_->recipient = std::move(rcpt->recipient);
  transaction_->mailbox = std::move(rcpt->mailbox);
  state_ = State::asking_rcpt;
  return CheckRcpt{&transaction_->recipient, &transaction_->mailbox};
}

std::optional<ServerMachine::Action> ServerMachine::on_data(const Command& command) {
  if (!command.argument.empty()) {
    say_error(replies::no_argument("DATA"));
  } else if (!transaction_) {
    say_mail_first();
  } else if (transaction_->envelope.recipients.empty()) {
    // RFC 5321 section 3.3: without a recipient that was accepted, DATA is refused with 503 or 554.
    // It is what a pipelining client must get after a refused RCPT, so it is no error of its own.
    say(replies::no_valid_recipients());
  } else {
    // RFC 2920 section 3.1: DATA is the last command of a group.
    if (!pending().empty()) ++unsynchronized_;
    state_ = State::asking_start_data;
    return StartData{&transaction_->envelope};
  }
  return std::nullopt;
}

void ServerMachine::on_rset(const Command& command) {
  if (!command.argument.empty()) return say_error(replies::no_argument("RSET"));
  if (!may_idle()) return;
  sender_refused_ = false;
  reset_transaction();
  say(replies::ok());
}

void ServerMachine::on_starttls(const Command& command) {
  if (tls_ == Tls::none) return say_error(replies::not_offered());
  if (tls_ == Tls::active) return say_error(replies::tls_already());
  if (!command.argument.empty()) return say_error(replies::no_argument("STARTTLS"));
  // RFC 3207 section 4.2: nothing received before the handshake counts after it. Text behind
  // STARTTLS in one write is an injection (CVE-2011-0411): the session ends.
  if (!pending().empty()) return close_with(replies::starttls_injection());
  reset_transaction();
  say(replies::ready_for_tls());
  state_ = State::handshake_due;
}

void ServerMachine::on_quit(const Command& command) {
  if (!command.argument.empty()) return say_error(replies::no_argument("QUIT"));
  quit_ = true;
  close_with(replies::goodbye(options_.hostname));
}

void ServerMachine::on_simple(const Command& command) {
  if (command.verb == Verb::not_offered) return say_error(replies::not_offered());
  if (command.verb == Verb::unknown) return say_error(replies::unknown_command());
  if (command.verb == Verb::vrfy && command.argument.empty())
    return say_error(replies::vrfy_syntax());
  if (!may_idle()) return;
  // RFC 5321 section 7.3: VRFY is not to help collecting addresses; 252 is always right.
  if (command.verb == Verb::vrfy) return say(replies::cannot_verify());
  say(command.verb == Verb::help ? replies::help() : replies::ok());
}

void ServerMachine::on_foreign() {
  // A page or a proxy that makes a browser talk to this port could otherwise send mail in the body
  // of its request.
  close_with(replies::foreign_protocol());
}

// --- answers

void ServerMachine::accept() {
  switch (state_) {
    case State::asking_helo:
      if (asked_greeting_ == Greeting::helo) return answer(Reply(250, options_.hostname));
      return answer(
          replies::ehlo(options_.hostname, {.message_bytes_max = options_.message_bytes_max,
                                            .starttls = tls_ == Tls::offered,
                                            .xclient = trust_.xclient,
                                            .xforward = trust_.xforward}));
    case State::asking_client:
      return answer(replies::greeting(options_.hostname));
    case State::asking_mail:
      return answer(replies::sender_ok());
    case State::asking_rcpt:
      return answer(replies::recipient_ok());
    case State::asking_start_data:
      return answer(replies::start_data());
    default:
      check_failed("accept() without a question");
  }
}

void ServerMachine::answer(const Reply& reply) {
  switch (state_) {
    case State::asking_helo:
      answer_helo(reply);
      break;
    case State::asking_client:
      answer_client(reply);
      break;
    case State::asking_mail:
      answer_mail(reply);
      break;
    case State::asking_rcpt:
      answer_rcpt(reply);
      break;
    case State::asking_start_data:
      answer_start_data(reply);
      break;
    case State::asking_end_data:
      answer_end_data(reply);
      break;
    default:
      check_failed("answer() without a question");
  }
  // RFC 5321 section 3.8: after 421 the server closes the connection.
  if (reply.code == 421) {
    reset_transaction();
    state_ = State::closing;
  }
}

void ServerMachine::refuse_as_error(const Reply& reply) {
  CHECK(state_ == State::asking_rcpt && !reply.is_positive());
  state_ = State::command;
  say_error(reply);
}

void ServerMachine::answer_mail(const Reply& reply) {
  sender_refused_ = !reply.is_positive();
  if (sender_refused_) transaction_.reset();
  say(reply);
  state_ = State::command;
}

void ServerMachine::answer_rcpt(const Reply& reply) {
  if (reply.is_positive())
    transaction_->envelope.recipients.push_back(std::move(transaction_->recipient));
  say(reply);
  state_ = State::command;
}

void ServerMachine::answer_start_data(const Reply& reply) {
  say(reply);
  if (!reply.is_positive()) {
    reset_transaction();
    state_ = State::command;
    return;
  }
  transaction_->reader = DotReader({options_.bare_newline, text_line_bytes_max});
  state_ = State::data;
}

void ServerMachine::answer_end_data(const Reply& reply) {
  if (reply.is_positive()) idle_commands_ = 0;
  say(reply);
  end_transaction();
  state_ = State::command;
}

void ServerMachine::refuse_data(Reply reply) {
  CHECK(state_ == State::data);
  if (transaction_->refusal) return;
  transaction_->refusal = std::move(reply);
  drop_due_ = true;
}

void ServerMachine::check_size() {
  const Transaction& transaction = *transaction_;
  if (transaction.refusal) return;
  if (transaction.reader.fault() != DotReader::Fault::none)
    return refuse_data(replies::content_fault(transaction.reader.fault()));
  // RFC 1870 section 6.3: a message that proves larger than the limit is refused, whatever was
  // declared.
  if (transaction.content_bytes > options_.message_bytes_max)
    refuse_data(replies::message_too_big(options_.message_bytes_max));
}

std::optional<ServerMachine::Action> ServerMachine::end_of_data() {
  if (!transaction_->refusal) {
    state_ = State::asking_end_data;
    return EndData{};
  }
  // RFC 5321 section 4.1.1.4: a refused message is answered once, at its end.
  say(*transaction_->refusal);
  end_transaction();
  state_ = State::command;
  return std::nullopt;
}

std::uint64_t ServerMachine::content_bytes() const {
  return transaction_ ? transaction_->content_bytes : 0;
}

const Reply* ServerMachine::data_refusal() const {
  return transaction_ && transaction_->refusal ? &*transaction_->refusal : nullptr;
}

// --- events

void ServerMachine::peer_closed() {
  // RFC 5321 section 4.1.1.10: a connection that breaks before the end of data leaves no message.
  reset_transaction();
  std::string().swap(pending_);
  std::string().swap(output_);
  pending_used_ = 0;
  state_ = State::closing;
}

void ServerMachine::timed_out() {
  close_with(replies::timeout(options_.hostname));
}

void ServerMachine::tls_started() {
  CHECK(state_ == State::handshake && pending().empty());
  // RFC 3207 section 4.2: what was learned before the handshake is forgotten, EHLO too.
  helo_.clear();
  greeting_ = Greeting::none;
  asked_greeting_ = Greeting::none;
  refusal_.reset();
  tls_ = Tls::active;
  state_ = State::command;
}

void ServerMachine::shut_down() {
  shutting_down_ = true;
}

void ServerMachine::refuse_session(const Reply& reply) {
  if (state_ != State::greeting) return;
  if (reply.is_temporary()) return close_with(reply);
  say(reply);
  turned_away_ = true;
  state_ = State::command;
}

// --- replies

void ServerMachine::say(const Reply& reply) {
  output_ += reply.format();
}

void ServerMachine::say_error(const Reply& reply) {
  if (++errors_ > options_.errors_max) return close_with(replies::too_many_errors());
  say(reply);
}

void ServerMachine::say_mail_first() {
  // RFC 2920 section 3.1: RCPT and DATA may be sent before the answer to MAIL is read.
  if (!sender_refused_) return say_error(replies::mail_first());
  if (may_idle()) say(replies::mail_first());
}

void ServerMachine::close_with(const Reply& reply) {
  reset_transaction();
  std::string().swap(pending_);
  pending_used_ = 0;
  say(reply);
  state_ = State::closing;
}

bool ServerMachine::may_idle() {
  if (++idle_commands_ <= idle_commands_max || ++errors_ <= options_.errors_max) return true;
  close_with(replies::too_many_errors());
  return false;
}

void ServerMachine::end_transaction() {
  transaction_.reset();
  // XFORWARD_README: its attributes hold for one transaction.
  forwarded_.reset();
}

void ServerMachine::reset_transaction() {
  forwarded_.reset();
  if (!transaction_) return;
  // Nothing is left to drop when the driver was told already.
  drop_due_ = drop_due_ || !transaction_->refusal;
  transaction_.reset();
}

ServerMachine::Send ServerMachine::take_output() {
  return Send{std::exchange(output_, std::string()), options_.write_timeout};
}

}  // namespace postern::smtp
