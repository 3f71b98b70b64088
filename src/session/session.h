#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "io/world.h"
#include "ledger/recorder.h"
#include "mail/received_from.h"
#include "policy/recipient_check.h"
#include "policy/unknown_ip.h"
#include "queue/queue.h"
#include "session/buffer_pool.h"
#include "session/log_limit.h"
#include "session/metrics.h"
#include "session/options.h"
#include "session/relay_control.h"
#include "session/session_log.h"
#include "session/session_places.h"
#include "session/trace_filter.h"
#include "session/unknown_ip_field.h"
#include "smtp/server_machine.h"

namespace postern::session {

/// What a server's sessions decide with and write to. All of it outlives them.
struct Ports {
  queue::Queue& queue;
  policy::UnknownIpCheck& unknown_ip;
  policy::RecipientCheck& recipients;
  Log& log;
  ledger::Recorder* recorder = nullptr;  ///< null: nothing is recorded
};

/// The server's side of a TLS handshake: takes the plaintext stream, gives the encrypted one. On
/// error the stream is gone. Nothing that was read before counts after it.
using StartTls = std::function<io::Task<Result<std::unique_ptr<io::Stream>>>(
    std::unique_ptr<io::Stream>, io::Deadline)>;

/// Whether a connection is its client's own, or begins with a proxy's word about whose it is.
enum class Arrival : std::uint8_t { direct, proxied };

/// Why a client is turned away that has sessions_per_client_max already.
inline constexpr std::string_view too_many_of_client = "too many connections from your address";
/// RFC 5321 section 3.1: a server that cannot serve now may greet with a refusal; 421 closes.
smtp::Reply busy_reply(const std::string& hostname, std::string_view why);

/// One inbound connection: drives a server machine, asks policy at RCPT, streams data to the queue.
/// Lives on one shard, in a task of its server; ends by itself in bounded time. While it waits for
/// a command it holds no buffer and no transaction.
class Session {
 public:
  struct Parts {
    const io::World& world;
    Ports ports;
    BufferPool& buffers;
    SharedOptions options;
    StartTls start_tls;  ///< empty: STARTTLS is not offered
    Metrics& metrics;
    LogLimit& log_limit;
    SessionPlaces::Place place;
    Arrival arrival = Arrival::direct;
  };
  /// Starts the check of the client's address at once, so that its lookups overlap with the
  /// greeting; when a proxy says whose address that is, once it has. References in `parts` outlive
  /// the session.
  Session(Parts parts, std::unique_ptr<io::Stream> stream);

  /// The whole session.
  io::Task<> run();
  /// The server ends: a session that waits for a command gets 421 now, one with data under way may
  /// finish it. May be called while run() is under way; the session outlives the call.
  io::Task<> dismiss();
  /// Ends the connection at once.
  void abort();

  [[nodiscard]] const Endpoint& client() const { return client_; }

 private:
  using Machine = smtp::ServerMachine;
  /// What is decided about a recipient because of the host before a known host.
  struct HopDecision {
    std::string_view recipient;
    std::optional<policy::OverrideDecision> rule;
    policy::Action action = policy::Action::accept;
    std::string case_id;
    std::optional<smtp::Reply> reply;  // that goes with the action
  };
  /// Of a message that a known host hands on: the host before it.
  struct Hop {
    explicit Hop(std::function<bool(const IpAddress&)> trusted) : walk(std::move(trusted)) {}

    mail::HopWalk walk;
    policy::KnownHostsDecide decide = policy::KnownHostsDecide::record;
    std::string held;      // content that waits, since the check's result goes before it
    bool settled = false;  // nothing waits any more
    Duration verdict_after{};
    std::shared_ptr<policy::PendingCheck> check;
    // Once settled, if there is such a host; enforced only where it decides on the message.
    std::optional<policy::UnknownIpVerdict> verdict;
    std::vector<HopDecision> decisions;  // then, about each recipient
  };
  /// From the acceptance of DATA on.
  struct Message {
    std::unique_ptr<queue::Intake> intake;
    std::unique_ptr<Hop> hop;  // before the filter, which tells it of Received fields
    TraceFilter filter;
    std::string queue_id;
    std::string sender;
    std::size_t recipients = 0;
    io::Deadline deadline;
    std::string passed;  // content on its way from the filter to the intake
    std::vector<std::string> recipient_addresses;  // for the ledger and the host before
  };
  /// That the client is let in, decided before a recipient was known.
  struct EarlyDecision {
    policy::AnswerAt step = policy::AnswerAt::rcpt;
    policy::Action action = policy::Action::accept;
  };

  // Who the client is: session_client.cc.
  io::Task<> identify();
  io::Task<> name_client(const smtp::ClientAttributes& attributes);
  void log_forwarded(std::string_view queue_id);
  bool take_place(const IpAddress& client);
  /// Whoever greets, or begins a transaction, speaks for himself from there on, unless he is a
  /// proxy too: what the named client says passes through some proxies (nginx) as it comes, and
  /// must not be believed as the proxy is.
  void trust_speaker();

  io::Task<> wait_before_greeting();
  io::Task<> step(Machine::Action action);
  io::Task<> read(Machine::Read read);
  io::Task<> send(Machine::Send send);
  /// Whether the client's address refuses it at this step, before a recipient is known; then that
  /// is recorded, and this is the reply. Waits for the verdict, if this is where it answers.
  io::Task<std::optional<smtp::Reply>> refusal_at(policy::AnswerAt step);
  io::Task<> check_helo();
  io::Task<> check_sender(Machine::CheckMail check);
  io::Task<> check_recipient(Machine::CheckRcpt check);
  void count_refused(RecipientResult result, std::string_view cause);
  void count_decision(DecidedAt step, const policy::UnknownIpVerdict& verdict,
                      policy::Action action);
  /// Whether relay control, or the client's address, refuses the recipient; then it is answered.
  bool refused_by_relay_control(const Machine::CheckRcpt& check, RelayDecision relay);
  bool refused_by_address(const Machine::CheckRcpt& check, const policy::UnknownIpVerdict& verdict);
  /// What an override of the configuration says, at this step, of this recipient (nullptr: none is
  /// known yet), if one does.
  [[nodiscard]] std::optional<policy::OverrideDecision> override_for(
      policy::AnswerAt step, const mail::Mailbox* recipient) const;
  /// `recipient` (empty: none is known yet) was refused, would have been, or was excused; by the
  /// override when there is one.
  void record_refusal(std::string_view recipient, const policy::UnknownIpVerdict& verdict,
                      const policy::OverrideDecision* override, ledger::Effect effect);
  void record_acceptance(const Message& message);
  /// The host before a known host, if it is whom the verdict is about.
  [[nodiscard]] const Hop* hop_of(const policy::UnknownIpVerdict& verdict) const;
  [[nodiscard]] upstream::Greeting greeting_of(const Hop* hop) const;
  /// Why a refusal was only recorded, as the ledger calls it.
  static std::string_view why_observed(const policy::UnknownIpVerdict& verdict, const Hop* hop);
  /// What the message was answered that came by a known host and is refused; `own`: what the
  /// recipient alone would have been.
  static std::string answer_to(const Hop& hop, std::string own);
  /// The verdict is there, for the first time or again.
  void note_verdict();
  bool refused_as_unknown(const Machine::CheckRcpt& check, const policy::RecipientVerdict& verdict);
  [[nodiscard]] RecipientDecision decision_about(const Machine::CheckRcpt& check,
                                                 const policy::UnknownIpVerdict* verdict,
                                                 std::string_view cause,
                                                 const smtp::Reply& reply) const;
  // The host before a known host: session_hop.cc.
  std::unique_ptr<Hop> look_for_hop();
  /// Holds back what has passed the filter until the host before has been looked for, and checked.
  io::Task<> hold_for_hop();
  [[nodiscard]] std::string fields_of_hop() const;
  void decide_by_hop();
  void log_hop();
  void excuse_by_hop(const HopDecision& decision);
  void refuse_by_hop(const HopDecision& decision);
  /// The reply that refuses the message for the host before the known host.
  std::optional<smtp::Reply> refusal_of_hop();

  io::Task<> start_data(Machine::StartData start);
  io::Task<> take_body(std::string_view bytes);
  io::Task<> end_data();
  io::Task<> append(std::string_view bytes);
  io::Task<> start_tls();
  io::Task<> close();
  void drop_transaction();
  io::Deadline deadline_of(const Machine::Read& read);
  void lost(const Error& error);

  const io::World& world_;
  Ports ports_;
  BufferPool& buffers_;
  SharedOptions options_;
  StartTls start_tls_;
  Metrics& metrics_;
  LogLimit& log_limit_;
  std::unique_ptr<io::Stream> stream_;
  Endpoint client_;               ///< until a proxy has said otherwise, the connection's
  std::optional<IpAddress> via_;  ///< the proxy that said so
  IpAddress speaker_;             ///< whom XCLIENT and XFORWARD are believed, or not
  SessionPlaces::Place place_;
  Arrival arrival_;
  bool authenticated_ = false;  ///< says a proxy by XCLIENT
  std::shared_ptr<policy::PendingCheck> check_;
  Machine machine_;
  io::Deadline command_deadline_ = io::Deadline::never();
  std::string sender_;
  std::uint64_t message_number_ = 0;  // of the transaction, for the ledger
  bool greeting_assumed_ = false;     // XCLIENT told the name, and not the word before it
  SteadyTime began_;
  Duration verdict_after_{};                            // from the connection on, for the ledger
  policy::Patience patience_ = policy::Patience::wait;  // of the transaction's recipients
  std::optional<EarlyDecision> early_;
  UnknownIpTag tag_;  // of the recipients who were accepted
  std::unique_ptr<Message> message_;
  bool waiting_for_command_ = false;
  bool closed_ = false;
};

}  // namespace postern::session
