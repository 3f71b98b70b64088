#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "mail/envelope.h"
#include "smtp/client_commands.h"
#include "smtp/dot_stream.h"
#include "smtp/reply.h"

namespace postern::smtp {

enum class ClientProtocol : std::uint8_t { smtp, lmtp };
enum class ClientTls : std::uint8_t { off, when_offered };

/// What a reply answers, or where a connection broke.
enum class ClientStage : std::uint8_t {
  greeting,
  hello,
  starttls,
  mail,
  rcpt,
  data,     ///< the DATA command
  content,  ///< sending the content
  final,    ///< waiting for the answer to the content: it may have been delivered
  rset,
  idle,
  quit,
};
/// "RCPT TO", "end of data", ...: completes "while waiting for the reply to ...".
std::string_view stage_name(ClientStage stage);

/// How long we wait for each reply.
struct ClientTimeouts {
  // RFC 5321 section 4.5.3.2.1 to 4.5.3.2.6: at least 5 minutes for the greeting, MAIL and RCPT, 2
  // for DATA, 3 for each block of content, 10 for the answer to the content.
  Duration greeting = std::chrono::minutes(5);
  Duration hello = std::chrono::minutes(5);
  Duration mail = std::chrono::minutes(5);
  Duration rcpt = std::chrono::minutes(5);
  Duration data = std::chrono::minutes(2);
  Duration block = std::chrono::minutes(3);
  Duration final = std::chrono::minutes(10);
  Duration rset = std::chrono::seconds(20);
  Duration quit = std::chrono::seconds(10);
};

struct ClientOptions {
  ClientProtocol protocol = ClientProtocol::smtp;
  ClientTls tls = ClientTls::when_offered;
  std::string hostname;  ///< for EHLO
  ClientTimeouts timeouts;
};

/// Why a transaction is begun.
enum class ClientPurpose : std::uint8_t {
  deliver,
  ask,  ///< only whether the server takes the recipients: it ends before DATA, and nothing is sent
};

/// One mail transaction. `recipients` and all views live until the machine says message_done.
struct ClientMessage {
  ClientPurpose purpose = ClientPurpose::deliver;
  MailParameters mail;
  std::vector<const mail::Recipient*> recipients;  ///< 1 to ClientMachine::recipients_max
};

enum class ClientVerdict : std::uint8_t { undecided, delivered, temporary, permanent };

/// What came of one recipient.
struct ClientOutcome {
  ClientVerdict verdict = ClientVerdict::undecided;
  ClientStage stage = ClientStage::idle;
  bool from_peer = false;  ///< `reply` is the server's; otherwise our own words in its form
  Reply reply;
  bool by_end = false;  ///< undecided when the connection ended: another host may be tried
};

/// How the connection ended, when it was not by our QUIT.
struct ClientEnd {
  ClientStage stage = ClientStage::idle;
  Cause cause = Cause::other;  ///< closed, timed_out, cancelled; other: the server said so, or
                               ///< broke the protocol
  bool from_peer = false;
  Reply reply;
};

/// What the owner of the connection does next.
struct ClientAction {
  enum class Kind : std::uint8_t {
    read,          ///< wait for bytes -> received() or closed()
    write,         ///< send all of `bytes` -> written() or closed()
    content,       ///< give the next piece -> content(), content_end() or content_failed()
    start_tls,     ///< TLS handshake as client -> tls_started() or tls_failed()
    ready,         ///< begin() the next message, or quit()
    message_done,  ///< take outcomes() -> message_taken()
    close,         ///< close the connection; end() says why
  };
  Kind kind = Kind::close;
  std::string_view bytes{};  ///< for write; valid until written()
  Duration timeout{};        ///< of read, write and start_tls
  bool new_wait = false;     ///< read: another reply is waited for than by the read before, so that
                             ///< the timeout begins anew. A reply that drips in does not extend it.
};

/// The client's side of SMTP (RFC 5321) and LMTP (RFC 2033) without I/O: facts in, actions out. One
/// machine serves one connection with any number of messages, one after the other. The owner loops:
/// next(), do it, report the fact. With PIPELINING a message's MAIL, RCPTs and DATA are one write,
/// and the content is one write when it is small.
///
/// Each recipient is decided by the server's reply, or is temporary when the connection ends first.
/// A connection that is lost after the final dot leaves unknown whether the server took the
/// message: it is temporary, since a second copy is better than none (RFC 5321 section 4.5.4.1
/// and RFC 1047).
///
/// A transaction of the purpose `ask` never sends DATA. "delivered" then means that the server
/// would take the recipient; what it took is given up by RSET before the next transaction, or by
/// QUIT.
///
/// Bounds: a reply by ReplyReader's; the output buffer by write_bytes_wanted and one content piece,
/// or the commands of one message.
class ClientMachine {
 public:
  static constexpr std::size_t recipients_max = 100;  // RFC 5321 section 4.5.3.1.8: all take 100
  static constexpr std::size_t write_bytes_wanted = 64 * 1024;

  explicit ClientMachine(ClientOptions options);

  [[nodiscard]] ClientAction next();

  // --- facts
  void received(std::string_view bytes);
  void written();
  /// The connection is of no more use: end of stream, error, deadline.
  void closed(Cause cause);
  void tls_started();
  /// The connection cannot go on in the clear: the server may be in the middle of the handshake.
  void tls_failed(std::string_view what);
  void begin(ClientMessage message);
  void content(std::string_view piece);
  void content_end();
  /// The content cannot be read to its end. The transaction is broken off without a final dot.
  void content_failed();
  void message_taken();
  void quit();

  // --- results
  /// In the order of ClientMessage::recipients; after message_done, until message_taken().
  [[nodiscard]] const std::vector<ClientOutcome>& outcomes() const { return outcomes_; }
  /// Set once the connection has ended otherwise than by our QUIT.
  [[nodiscard]] const std::optional<ClientEnd>& end() const { return end_; }
  [[nodiscard]] const ServerExtensions& extensions() const { return offered_; }
  [[nodiscard]] bool tls() const { return tls_; }
  /// No reply to the current message's commands has been read: on a connection that served others
  /// before, the server had just closed it, and a new one may try again.
  [[nodiscard]] bool untouched() const { return message_replies_ == 0; }

 private:
  enum class State : std::uint8_t { talking, handshake, ready, content, ended };
  struct Expected {
    ClientStage stage;
    std::uint32_t recipient = 0;  // of rcpt, and of final with LMTP
  };

  void on_reply(const Reply& reply);
  void on_greeting(const Reply& reply);
  void on_hello(const Reply& reply);
  void on_starttls(const Reply& reply);
  void on_rset(const Reply& reply);
  void on_mail(const Reply& reply);
  void on_rcpt(const Reply& reply, std::uint32_t recipient);
  void on_data(const Reply& reply);
  void on_final(const Reply& reply, std::uint32_t recipient);

  void send_hello(std::string_view verb);
  void hello_done();
  void send_commands();
  void send_data();
  void refuse_what_cannot_be_sent();
  void decide(std::uint32_t recipient, const Reply& reply, ClientStage stage);
  void decide_undecided(ClientVerdict verdict, const Reply& reply, ClientStage stage,
                        bool from_peer);
  void finish_message();
  void end_with(ClientStage stage, Cause cause, const Reply& reply, bool from_peer);
  void protocol_error(ClientStage stage, std::string_view what);
  [[nodiscard]] ClientStage stage() const;
  [[nodiscard]] Duration timeout_of(ClientStage stage) const;
  void expect(ClientStage stage, std::uint32_t recipient = 0);
  [[nodiscard]] bool all_answered() const { return expected_first_ == expected_.size(); }

  ClientOptions options_;
  State state_ = State::talking;
  ServerExtensions offered_;
  bool helo_tried_ = false;
  bool tls_ = false;
  bool tls_refused_ = false;
  bool quitting_ = false;
  std::optional<ClientEnd> end_;

  ReplyReader reader_;
  std::vector<Expected> expected_;  // replies to come, from expected_first_ on
  std::size_t expected_first_ = 0;
  bool new_wait_ = true;
  std::string out_;

  ClientMessage message_;
  std::vector<ClientOutcome> outcomes_;
  bool in_message_ = false;
  bool message_done_ = false;
  bool needs_rset_ = false;  // the server holds a transaction that we gave up
  bool mail_sent_ = false;
  bool data_sent_ = false;
  bool dot_sent_ = false;
  std::uint32_t rcpts_sent_ = 0;
  std::uint32_t accepted_ = 0;
  std::uint32_t message_replies_ = 0;
  DotWriter dots_;
};

}  // namespace postern::smtp
