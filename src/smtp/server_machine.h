#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "smtp/client_attributes.h"
#include "smtp/command.h"
#include "smtp/dot_stream.h"
#include "smtp/limits.h"
#include "smtp/reply.h"

namespace postern::smtp {

struct ServerOptions {
  std::string hostname;
  std::uint64_t message_bytes_max = message_bytes_max_default;
  std::size_t recipients_max = recipients_max_default;
  std::size_t errors_max = 20;  ///< commands in error; the next one ends the session with 421
  BareNewline bare_newline = BareNewline::refuse;
  Duration command_timeout = command_timeout_default;
  Duration data_timeout = data_timeout_default;
  Duration write_timeout = write_timeout_default;
};

/// The server's side of one SMTP session, without I/O: bytes and answers in, actions out. The
/// driver calls next(), does what the action says, tells the machine the outcome by the function
/// named at the action, and calls next() again, until Close.
///
/// Everything that a peer sends is answered here in order; replies are collected and go out in one
/// write when the input is used up (RFC 2920). Bounded: one command line, what one feed() brought,
/// the replies held (replies_held_bytes_max), one transaction. Between commands it holds no buffer.
class ServerMachine {
 public:
  enum class Wait : std::uint8_t {
    command,          ///< a new command: a fresh deadline
    rest_of_command,  ///< more of one: the deadline of its start goes on
    data,             ///< more message data
  };
  /// Read some bytes; then feed(), peer_closed() or timed_out().
  struct Read {
    Wait wait = Wait::command;
    Duration timeout{};
  };
  /// Write all of it. When that fails: peer_closed().
  struct Send {
    std::string bytes;
    Duration timeout{};
  };
  /// May this client begin, who calls itself helo()? accept() or answer(). Refused, it hears the
  /// same at MAIL.
  struct CheckHelo {};
  /// A proxy that is trusted says on whose behalf it goes on (XCLIENT). accept(): the session
  /// begins anew, with a greeting; or answer(), with 421, or as at
  /// CheckHelo, or 5yz as refuse_session().
  struct NameClient {
    const ClientAttributes* attributes = nullptr;
  };
  /// May this sender? accept() or answer().
  struct CheckMail {
    const mail::Envelope* envelope = nullptr;  ///< without recipients
  };
  /// May this recipient? accept() or answer(). The driver may rewrite the recipient before
  /// accept().
  struct CheckRcpt {
    mail::Recipient* recipient = nullptr;
    const mail::Mailbox* mailbox = nullptr;
  };
  /// All recipients are known, data is wanted. accept(), or answer() with a refusal. The envelope
  /// may be moved from when it is accepted.
  struct StartData {
    mail::Envelope* envelope = nullptr;
  };
  /// Content, dot stuffing removed; valid until the next call. Nothing, or refuse_data().
  struct Body {
    std::string_view bytes;
  };
  /// The content is complete. answer(): a positive reply means that responsibility was taken.
  struct EndData {};
  /// The transaction that was started is over without a message: forget what belongs to it.
  struct DropTransaction {};
  /// Begin the handshake; the reply has been sent. tls_started() or peer_closed().
  struct StartTls {};
  /// The session is over and everything to say has been said.
  struct Close {};
  using Action = std::variant<Read, Send, NameClient, CheckHelo, CheckMail, CheckRcpt, StartData,
                              Body, EndData, DropTransaction, StartTls, Close>;

  enum class TlsOffer : std::uint8_t { none, starttls };
  /// Whether the client may speak for others.
  struct Trust {
    bool xclient = false;
    bool xforward = false;
  };

  /// `options` outlive the machine.
  ServerMachine(const ServerOptions& options, TlsOffer tls);
  ~ServerMachine();
  ServerMachine(const ServerMachine&) = delete;
  ServerMachine& operator=(const ServerMachine&) = delete;

  /// Allows XCLIENT and XFORWARD, which are refused without it. Before the first next(), and with
  /// any question.
  void trust(Trust trust) { trust_ = trust; }

  /// What to do now. Not to be called while a question (NameClient, CheckHelo, CheckMail,
  /// CheckRcpt, StartData, EndData) has no answer.
  Action next();

  void feed(std::string_view bytes);
  void peer_closed();
  void timed_out();
  void tls_started();
  /// Answers the open question with its usual positive reply.
  void accept();
  /// Answers the open question. A reply 421 also ends the session.
  void answer(const Reply& reply);
  /// Refuses the recipient asked about, and counts it as an error of the client's: who tries many
  /// addresses to find those that exist is cut off after errors_max.
  void refuse_as_error(const Reply& reply);
  /// During data: nothing more of it is wanted; `reply` is given at its end. The first one stands.
  void refuse_data(Reply reply);
  /// The server is about to end: the next command, or the one that is waited for, is answered with
  /// 421. A message whose data has begun may still be completed.
  void shut_down();
  /// Instead of the greeting: 421 with a reason, and the end; or 554, after which only QUIT is
  /// possible. Before the first next(); without effect when the client is gone.
  void refuse_session(const Reply& reply);

  /// What stood behind HELO or EHLO the last time, also when that was refused; empty before it.
  [[nodiscard]] const std::string& helo() const { return helo_; }
  /// By which of them; `none` before it.
  [[nodiscard]] Greeting greeting() const { return asked_greeting_; }
  /// What XFORWARD said of the transaction's message; null when it said nothing.
  [[nodiscard]] const ForwardedClient* forwarded() const { return forwarded_.get(); }
  [[nodiscard]] bool tls() const { return tls_ == Tls::active; }
  /// Whether the transaction's data is being received or decided upon.
  [[nodiscard]] bool in_data() const {
    return state_ == State::data || state_ == State::asking_end_data;
  }
  [[nodiscard]] std::uint64_t content_bytes() const;
  /// Why the data under way is refused, while it is.
  [[nodiscard]] const Reply* data_refusal() const;
  /// The client ended the session by QUIT and expects nothing more.
  [[nodiscard]] bool quit() const { return quit_; }
  /// RFC 2920 section 3.1: how often a client sent on without waiting where it must wait.
  [[nodiscard]] std::size_t unsynchronized() const { return unsynchronized_; }
  [[nodiscard]] std::size_t errors() const { return errors_; }

 private:
  enum class State : std::uint8_t {
    greeting,
    command,
    asking_helo,
    asking_client,
    asking_mail,
    asking_rcpt,
    asking_start_data,
    data,
    asking_end_data,
    handshake_due,
    handshake,
    closing,
  };
  enum class Tls : std::uint8_t { none, offered, active };
  struct Transaction;

  // One for each state; nullopt: the state moved on without an action.
  std::optional<Action> in_greeting();
  std::optional<Action> in_command();
  std::optional<Action> in_data_state();
  std::optional<Action> in_handshake_due();
  std::optional<Action> in_closing();

  std::optional<Action> wait_for(Wait wait);
  std::optional<std::string> take_line();
  void skip_line();
  std::optional<Action> take_command(std::string_view line);
  std::optional<Action> dispatch(const Command& command);
  std::optional<Action> on_mail(const Command& command);
  std::optional<Action> on_rcpt(const Command& command);
  std::optional<Action> on_data(const Command& command);
  std::optional<Action> on_helo(const Command& command, Greeting greeting);
  void on_rset(const Command& command);
  void on_starttls(const Command& command);
  // XCLIENT and XFORWARD: server_machine_client.cc.
  std::optional<Action> on_xclient(const Command& command);
  void on_xforward(const Command& command);
  void answer_client(const Reply& reply);
  void on_quit(const Command& command);
  void on_simple(const Command& command);
  void on_foreign();
  void answer_helo(const Reply& reply);
  void answer_mail(const Reply& reply);
  void answer_rcpt(const Reply& reply);
  void answer_start_data(const Reply& reply);
  void answer_end_data(const Reply& reply);
  std::optional<Action> end_of_data();
  void check_size();

  void say(const Reply& reply);
  void say_error(const Reply& reply);
  void say_mail_first();
  void close_with(const Reply& reply);
  bool may_idle();
  void reset_transaction();
  /// The transaction is over, and has been answered.
  void end_transaction();
  void consume(std::size_t bytes);
  [[nodiscard]] std::string_view pending() const;
  Send take_output();

  const ServerOptions& options_;
  State state_ = State::greeting;
  Tls tls_;
  Greeting greeting_ = Greeting::none;  // that was accepted
  Greeting asked_greeting_ = Greeting::none;
  bool skipping_ = false;  // an over-long command line is being passed over
  bool shutting_down_ = false;
  bool quit_ = false;
  bool turned_away_ = false;     // 554 stood in place of the greeting
  bool sender_refused_ = false;  // what was sent behind MAIL in one write is no error of its own
  bool drop_due_ = false;        // DropTransaction must be told before anything else
  std::size_t pending_used_ = 0;
  std::string pending_;  // input not used yet
  std::string output_;   // replies not sent yet
  std::string helo_;
  std::unique_ptr<const Reply> refusal_;  // of the greeting
  Trust trust_;
  std::unique_ptr<ClientAttributes> attributes_;  // while their client is asked about
  std::unique_ptr<ForwardedClient> forwarded_;
  std::unique_ptr<Transaction> transaction_;
  std::uint32_t errors_ = 0;
  std::uint32_t idle_commands_ = 0;
  std::uint32_t unsynchronized_ = 0;
};

}  // namespace postern::smtp
