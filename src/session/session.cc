#include "session/session.h"

#include <algorithm>
#include <utility>

#include "mail/received.h"
#include "session/reply_for_error.h"
#include "session/trace_header.h"

namespace postern::session {
namespace {

/// How long and how much is read from a client that was cut off, so that it gets to see why: bytes
/// left unread would reset the connection and take our last reply with it.
constexpr Duration linger_timeout = std::chrono::seconds(2);
constexpr int linger_reads_max = 8;

constexpr std::string_view cause_word(Cause cause) {
  switch (cause) {
    case Cause::timed_out:
      return "timeout";
    case Cause::cancelled:
      return "ended by us";
    default:
      return "connection lost";
  }
}

}  // namespace

Session::Session(Parts parts, std::unique_ptr<io::Stream> stream)
    : world_(parts.world),
      ports_(parts.ports),
      buffers_(parts.buffers),
      options_(std::move(parts.options)),
      start_tls_(std::move(parts.start_tls)),
      metrics_(parts.metrics),
      log_limit_(parts.log_limit),
      stream_(std::move(stream)),
      client_(stream_->remote()),
      place_(std::move(parts.place)),
      arrival_(parts.arrival),
      machine_(options_->smtp, start_tls_ ? Machine::TlsOffer::starttls : Machine::TlsOffer::none),
      began_(world_.clock.now()) {
  if (arrival_ == Arrival::direct) {
    trust_speaker();
    check_ = ports_.unknown_ip.start(client_.address, stream_->local().address);
  } else {
    check_ = policy::UnknownIpCheck::skipped("client not known yet");
  }
}

io::Task<> Session::run() {
  if (arrival_ == Arrival::proxied) co_await identify();
  if (!closed_ && options_->greeting_delay > Duration::zero()) co_await wait_before_greeting();
  if (const auto refusal = co_await refusal_at(policy::AnswerAt::connect))
    machine_.refuse_session(*refusal);
  while (!closed_) co_await step(machine_.next());
  ports_.log.line(Severity::debug, "closed",
                  {{"client", client_.address.text()},
                   {"helo", machine_.helo()},
                   {"errors", static_cast<std::uint64_t>(machine_.errors())},
                   {"unsynchronized", static_cast<std::uint64_t>(machine_.unsynchronized())}});
}

io::Task<> Session::step(Machine::Action action) {
  if (const auto* wait = std::get_if<Machine::Read>(&action)) {
    co_await read(*wait);
  } else if (auto* output = std::get_if<Machine::Send>(&action)) {
    co_await send(std::move(*output));
  } else if (const auto* named = std::get_if<Machine::NameClient>(&action)) {
    co_await name_client(*named->attributes);
  } else if (std::holds_alternative<Machine::CheckHelo>(action)) {
    co_await check_helo();
  } else if (const auto* mail = std::get_if<Machine::CheckMail>(&action)) {
    co_await check_sender(*mail);
  } else if (const auto* rcpt = std::get_if<Machine::CheckRcpt>(&action)) {
    co_await check_recipient(*rcpt);
  } else if (const auto* start = std::get_if<Machine::StartData>(&action)) {
    co_await start_data(*start);
  } else if (const auto* body = std::get_if<Machine::Body>(&action)) {
    co_await take_body(body->bytes);
  } else if (std::holds_alternative<Machine::EndData>(action)) {
    co_await end_data();
  } else if (std::holds_alternative<Machine::DropTransaction>(action)) {
    drop_transaction();
  } else if (std::holds_alternative<Machine::StartTls>(action)) {
    co_await start_tls();
  } else if (std::holds_alternative<Machine::Close>(action)) {
    co_await close();
  }
}

// --- the connection

io::Task<> Session::wait_before_greeting() {
  const io::Deadline deadline = world_.clock.in(options_->greeting_delay);
  const auto early = co_await stream_->readable(deadline);
  if (!early) {
    if (early.error().cause != Cause::timed_out) lost(early.error());
    co_return;
  }
  BufferPool::Loan buffer(buffers_);
  const auto count = co_await stream_->read_some(*buffer, deadline);
  if (!count || *count == 0)
    machine_.peer_closed();
  else
    machine_.feed({(*buffer).data(), *count});
}

io::Deadline Session::deadline_of(const Machine::Read& read) {
  const io::Deadline deadline = world_.clock.in(read.timeout);
  switch (read.wait) {
    case Machine::Wait::command:
      command_deadline_ = deadline;
      return deadline;
    case Machine::Wait::rest_of_command:
      // Against one byte every few minutes: the whole line has one deadline.
      command_deadline_ = command_deadline_.is_never() ? deadline : command_deadline_;
      return command_deadline_;
    case Machine::Wait::data:
      break;
  }
  return message_ ? deadline.sooner(message_->deadline) : deadline;
}

io::Task<> Session::read(Machine::Read read) {
  const io::Deadline deadline = deadline_of(read);
  waiting_for_command_ = read.wait != Machine::Wait::data;
  const auto ready = co_await stream_->readable(deadline);
  waiting_for_command_ = false;
  if (!ready) {
    lost(ready.error());
    co_return;
  }
  BufferPool::Loan buffer(buffers_);
  const auto count = co_await stream_->read_some(*buffer, deadline);
  if (!count)
    lost(count.error());
  else if (*count == 0)
    lost({Persistence::temporary, Blame::peer, Cause::closed, "end of stream"});
  else
    machine_.feed({(*buffer).data(), *count});
}

io::Task<> Session::send(Machine::Send send) {
  metrics_.count_replies(send.bytes);
  const auto sent = co_await stream_->write_all(send.bytes, world_.clock.in(send.timeout));
  // What was begun before is answered: part of a line that is left over is a new command's.
  command_deadline_ = io::Deadline::never();
  if (sent) co_return;
  // The client does not read: nothing more can be told to it.
  if (message_) lost(sent.error());
  machine_.peer_closed();
}

void Session::lost(const Error& error) {
  if (message_) ++metrics_.messages[MessageResult::lost];
  if (message_)
    ports_.log.line(Severity::info, "message_lost",
                    {{"client", client_.address.text()},
                     {"helo", machine_.helo()},
                     {"sender", sender_},
                     {"cause", cause_word(error.cause)},
                     {"bytes", machine_.content_bytes()},
                     {"id", message_->queue_id}});
  if (error.cause == Cause::timed_out)
    machine_.timed_out();
  else
    machine_.peer_closed();
}

io::Task<> Session::start_tls() {
  auto encrypted =
      co_await start_tls_(std::move(stream_), world_.clock.in(options_->handshake_timeout));
  ++(encrypted ? metrics_.handshakes : metrics_.handshakes_failed);
  if (!encrypted) {
    ports_.log.line(Severity::info, "handshake_failed",
                    {{"client", client_.address.text()}, {"what", encrypted.error().what}});
    closed_ = true;
    co_return;
  }
  stream_ = *std::move(encrypted);
  machine_.tls_started();
}

io::Task<> Session::close() {
  closed_ = true;
  if (!stream_) co_return;
  stream_->shutdown_write();
  if (!machine_.quit()) {
    const io::Deadline deadline = world_.clock.in(linger_timeout);
    for (int i = 0; i < linger_reads_max; ++i) {
      if (!co_await stream_->readable(deadline)) break;
      BufferPool::Loan buffer(buffers_);
      const auto count = co_await stream_->read_some(*buffer, deadline);
      if (!count || *count == 0) break;
    }
  }
  stream_->close();
}

io::Task<> Session::dismiss() {
  machine_.shut_down();
  if (!waiting_for_command_ || closed_) co_return;
  waiting_for_command_ = false;
  while (true) {
    auto action = machine_.next();
    if (auto* output = std::get_if<Machine::Send>(&action)) {
      // Best effort: the reader's error tells the same.
      (void)co_await stream_->write_all(output->bytes, world_.clock.in(linger_timeout));
    } else if (std::holds_alternative<Machine::DropTransaction>(action)) {
      drop_transaction();
    } else {
      break;
    }
  }
  if (stream_) {
    stream_->shutdown_write();
    stream_->close();
  }
}

void Session::abort() {
  if (stream_) stream_->close();
}

// --- the transaction

RecipientDecision Session::decision_about(const Machine::CheckRcpt& check,
                                          const policy::UnknownIpVerdict* verdict,
                                          std::string_view cause, const smtp::Reply& reply) const {
  return {
      .client = client_.address,
      .helo = machine_.helo(),
      .protocol = mail::protocol_word(machine_.greeting() == smtp::Greeting::ehlo, machine_.tls()),
      .sender = sender_,
      .recipient = check.recipient->address,
      .verdict = verdict,
      .cause = cause,
      .reply = reply,
      .case_id = verdict == nullptr ? std::string_view() : std::string_view(verdict->case_id),
      .rule = {},
      .via = via_};
}

void Session::count_decision(DecidedAt step, const policy::UnknownIpVerdict& verdict,
                             policy::Action action) {
  ++(verdict.enforced ? metrics_.enforced : metrics_.observed)[step][verdict.state][action];
}

void Session::count_refused(RecipientResult result, std::string_view cause) {
  ++metrics_.recipients[result];
  metrics_.count_refusal(client_.address, cause, world_.clock.now());
}

bool Session::refused_by_relay_control(const Machine::CheckRcpt& check, RelayDecision relay) {
  if (may_relay(relay)) return false;
  count_refused(RecipientResult::relay_denied, relay_decision_name(relay));
  const smtp::Reply reply = relay_refusal(relay, *check.mailbox);
  const RecipientDecision decision =
      decision_about(check, check_->ready(), relay_decision_name(relay), reply);
  log_refused(ports_.log, decision);
  if (options_->postfix_rejects) log_postfix_reject(ports_.log, decision);
  machine_.answer(reply);
  return true;
}

std::optional<policy::OverrideDecision> Session::override_for(
    const mail::Mailbox* recipient, const policy::UnknownIpVerdict& verdict) const {
  if (!ports_.unknown_ip.has_overrides()) return std::nullopt;
  const auto sender = mail::parse_mailbox(sender_);
  return ports_.unknown_ip.override_for(
      verdict, sender ? mail::normalize_domain(sender->domain) : std::string(),
      recipient == nullptr ? std::string() : mail::normalize_domain(recipient->domain));
}

bool Session::refused_by_address(const Machine::CheckRcpt& check,
                                 const policy::UnknownIpVerdict& verdict) {
  if (early_) {
    tag_.take(early_->action, {});
    return false;
  }
  const auto other = override_for(check.mailbox, verdict);
  count_decision(DecidedAt::rcpt, verdict, other ? other->action : verdict.action);
  const auto reply = smtp::Reply::parse_line(other ? other->reply : verdict.reply);
  if (!reply) {
    if (other ? !verdict.reply.empty() : verdict.action == policy::Action::tag)
      record_refusal(check.recipient->address, verdict, other ? &*other : nullptr,
                     ledger::Effect::excused);
    if (other && !verdict.reply.empty())
      log_excused(ports_.log, {.client = client_.address,
                               .sender = sender_,
                               .recipient = check.recipient->address,
                               .state = policy::state_name(verdict.state),
                               .rule = other->name});
    tag_.take(other ? other->action : verdict.action, {});
    return false;
  }
  RecipientDecision decision =
      decision_about(check, &verdict, policy::state_name(verdict.state), *reply);
  if (other) {
    decision.rule = other->name;
    decision.case_id = other->case_id;
  }
  record_refusal(check.recipient->address, verdict, other ? &*other : nullptr,
                 verdict.enforced ? ledger::Effect::refused : ledger::Effect::would_refuse);
  if (!verdict.enforced) {
    log_would_refuse(ports_.log, decision);
    tag_.take(other ? other->action : verdict.action, decision.case_id);
    return false;
  }
  count_refused(RecipientResult::unknown_ip, decision.cause);
  log_refused(ports_.log, decision);
  if (options_->postfix_rejects) log_postfix_reject(ports_.log, decision);
  machine_.answer(*reply);
  return true;
}

bool Session::refused_as_unknown(const Machine::CheckRcpt& check,
                                 const policy::RecipientVerdict& verdict) {
  const auto reply = smtp::Reply::parse_line(verdict.reply);
  if (!reply) return false;
  count_refused(RecipientResult::no_such_user, policy::state_name(verdict.state));
  const RecipientDecision decision =
      decision_about(check, check_->ready(), policy::state_name(verdict.state), *reply);
  log_recipient_refused(ports_.log, decision, verdict);
  if (options_->postfix_rejects) log_postfix_reject(ports_.log, decision);
  // RFC 5321 section 7.3: RCPT tells as much as VRFY would to who collects addresses, so that each
  // wrong guess counts against the client.
  if (verdict.state == policy::RecipientState::unknown)
    machine_.refuse_as_error(*reply);
  else
    machine_.answer(*reply);
  return true;
}

io::Task<> Session::check_recipient(Machine::CheckRcpt check) {
  const RelayDecision relay = decide_relay(*options_, client_.address, *check.mailbox);
  if (refused_by_relay_control(check, relay)) co_return;
  const SteadyTime asked = world_.clock.now();
  const policy::UnknownIpVerdict* verdict = co_await check_->verdict();
  note_verdict();
  metrics_.verdict_wait.observe(world_.clock.now() - asked);
  if (refused_by_address(check, *verdict)) co_return;
  // Last, so that nothing is asked on behalf of a client who is refused anyway. Clients whom we
  // trust may send anywhere; of other people's domains we know nothing.
  if (relay != RelayDecision::postmaster &&
      in_domains(options_->relay.domains, mail::normalize_domain(check.mailbox->domain))) {
    const policy::RecipientVerdict found =
        co_await ports_.recipients.check(*check.mailbox, patience_);
    // Of a next hop that does not answer, a thousand recipients must not each wait to the end.
    if (found.timed_out) patience_ = policy::Patience::none;
    if (refused_as_unknown(check, found)) co_return;
  }
  // RFC 5321 section 4.5.1: <postmaster> is the postmaster of this host.
  if (check.mailbox->domain.empty())
    check.recipient->address = options_->postmaster.empty()
                                   ? "postmaster@" + options_->smtp.hostname
                                   : options_->postmaster;
  ++metrics_.recipients[RecipientResult::accepted];
  machine_.accept();
}

io::Task<> Session::start_data(Machine::StartData start) {
  const policy::UnknownIpVerdict* verdict = check_->ready();
  const std::string protocol =
      mail::protocol_word(machine_.greeting() == smtp::Greeting::ehlo, machine_.tls());
  const WallTime now = world_.clock.wall_now();
  auto intake = ports_.queue.begin(
      *start.envelope, {client_.address, confirmed_name(verdict), machine_.helo(), protocol, now});
  if (!intake) {
    ++metrics_.messages[MessageResult::failed];
    ports_.log.line(Severity::warning, "queue_failed",
                    {{"client", client_.address.text()}, {"what", intake.error().what}});
    machine_.answer(reply_for_error(intake.error()));
    co_return;
  }
  std::string id = (*intake)->id().text();
  auto hop = look_for_hop();
  std::function<void(std::string_view)> on_received;
  if (hop) on_received = [&walk = hop->walk](std::string_view value) { walk.feed(value); };
  message_.reset(new Message{*std::move(intake),
                             std::move(hop),
                             TraceFilter(options_->smtp.hostname, std::move(on_received)),
                             std::move(id),
                             sender_,
                             start.envelope->recipients.size(),
                             world_.clock.in(options_->data_total_timeout),
                             {},
                             {}});
  for (const auto& recipient : start.envelope->recipients)
    message_->recipient_addresses.push_back(recipient.address);
  std::string trace = compose_trace({options_->smtp.hostname, client_.address, machine_.helo(),
                                     protocol, message_->queue_id, *start.envelope, verdict, now});
  if (!message_->hop && verdict != nullptr &&
      bears_field(options_->unknown_ip_header, *verdict, tag_))
    trace += compose_unknown_ip_field(*verdict, tag_);
  const auto written = co_await message_->intake->append(trace);
  if (written) {
    machine_.accept();
    co_return;
  }
  ++metrics_.messages[MessageResult::failed];
  ports_.log.line(Severity::warning, "queue_failed",
                  {{"client", client_.address.text()}, {"what", written.error().what}});
  machine_.answer(reply_for_error(written.error()));
}

io::Task<> Session::append(std::string_view bytes) {
  const auto written = co_await message_->intake->append(bytes);
  if (written) co_return;
  ports_.log.line(Severity::warning, "queue_failed",
                  {{"client", client_.address.text()},
                   {"id", message_->queue_id},
                   {"what", written.error().what}});
  machine_.refuse_data(reply_for_error(written.error()));
}

io::Task<> Session::take_body(std::string_view bytes) {
  message_->passed.clear();
  message_->filter.feed(bytes, message_->passed);
  if (message_->filter.received_count() > options_->received_max) {
    // RFC 5321 section 6.3: a message that has passed so many hosts goes in a circle.
    machine_.refuse_data({554, {5, 4, 6}, "Too many hops: this message goes in a circle"});
    co_return;
  }
  if (message_->hop) co_await hold_for_hop();
  if (!message_->passed.empty()) co_await append(message_->passed);
}

io::Task<> Session::end_data() {
  message_->passed.clear();
  message_->filter.finish(message_->passed);
  if (message_->hop) {
    co_await hold_for_hop();
    if (const auto refusal = refusal_of_hop()) {
      message_.reset();
      co_return machine_.answer(*refusal);
    }
  }
  Result<queue::MessageId> committed = queue::MessageId{};
  Result<> written{};
  if (!message_->passed.empty()) written = co_await message_->intake->append(message_->passed);
  if (written)
    committed = co_await message_->intake->commit();
  else
    committed = fail(std::move(written).error());
  const std::unique_ptr<Message> message = std::exchange(message_, nullptr);
  if (!committed) {
    ++metrics_.messages[MessageResult::failed];
    ports_.log.line(Severity::warning, "queue_failed",
                    {{"client", client_.address.text()},
                     {"id", message->queue_id},
                     {"what", committed.error().what}});
    machine_.answer(reply_for_error(committed.error()));
    co_return;
  }
  record_acceptance(*message);
  ++metrics_.messages[MessageResult::accepted];
  metrics_.accepted_bytes += machine_.content_bytes();
  ports_.log.line(Severity::info, "accepted",
                  {{"client", client_.address.text()},
                   {"helo", machine_.helo()},
                   {"sender", message->sender},
                   {"recipients", static_cast<std::uint64_t>(message->recipients)},
                   {"bytes", machine_.content_bytes()},
                   {"id", committed->text()},
                   {"state", state_of(check_->ready())}});
  log_forwarded(committed->text());
  machine_.answer({250, {2, 0, 0}, "Queued as " + committed->text()});
}

void Session::drop_transaction() {
  if (message_ && machine_.data_refusal() != nullptr) {
    const bool ours = machine_.data_refusal()->is_temporary();
    ++metrics_.messages[ours ? MessageResult::failed : MessageResult::refused];
    ports_.log.line(Severity::info, "message_refused",
                    {{"client", client_.address.text()},
                     {"helo", machine_.helo()},
                     {"sender", sender_},
                     {"id", message_->queue_id},
                     {"reply", machine_.data_refusal()->text()}});
  }
  message_.reset();
}

}  // namespace postern::session
