#include "delivery/connection.h"

#include <utility>

#include "base/check.h"

namespace postern::delivery {
namespace {

using Kind = smtp::ClientAction::Kind;

/// How long we look for a server's last words after a write to it failed.
constexpr Duration last_words_timeout = std::chrono::seconds(1);

}  // namespace

io::Task<std::optional<Outcome>> Connection::open() {
  const bool may_encrypt = reach_.tls != nullptr && !reach_.options.hostname.empty();
  const auto tls = may_encrypt ? reach_.options.starttls : smtp::ClientTls::off;
  std::optional<Outcome> failure = co_await open_once(tls);
  const bool tls_failed = failure && !closed_ && machine_ && machine_->end() &&
                          machine_->end()->stage == smtp::ClientStage::starttls;
  if (!tls_failed) co_return failure;
  reach_.log.line(Severity::warning, "tls-failed",
                  {{"remote", target_.text()},
                   {"error", failure->reply},
                   {"do", "tried again in the clear; ask the remote's administrator"}});
  co_return co_await open_once(smtp::ClientTls::off);
}

io::Task<std::optional<Outcome>> Connection::open_once(smtp::ClientTls tls) {
  machine_.reset();
  stream_.reset();
  const auto deadline = reach_.world.clock.in(reach_.options.connect_timeout);
  auto connected = co_await reach_.world.network.connect(target_.endpoint, deadline);
  if (!connected) co_return outcome_of(connected.error(), target_);
  stream_ = *std::move(connected);
  if (closed_) stream_->close();
  machine_.emplace(smtp::ClientOptions{.protocol = target_.protocol,
                                       .tls = tls,
                                       .hostname = reach_.options.hostname,
                                       .timeouts = reach_.options.timeouts});
  if (co_await drive(nullptr) == Kind::ready) co_return std::nullopt;
  CHECK(machine_->end());
  co_return outcome_of(*machine_->end(), target_);
}

io::Task<std::vector<smtp::ClientOutcome>> Connection::deliver(smtp::ClientMessage message,
                                                               queue::Content& content) {
  co_return co_await transact(std::move(message), &content);
}

io::Task<smtp::ClientOutcome> Connection::ask(std::string_view sender,
                                              const mail::Recipient& recipient) {
  smtp::ClientMessage question;
  question.purpose = smtp::ClientPurpose::ask;
  question.mail.reverse_path = sender;
  question.recipients = {&recipient};
  std::vector<smtp::ClientOutcome> outcomes = co_await transact(std::move(question), nullptr);
  co_return std::move(outcomes.at(0));
}

io::Task<std::vector<smtp::ClientOutcome>> Connection::transact(smtp::ClientMessage message,
                                                                queue::Content* content) {
  CHECK(usable_);
  ++messages_;
  machine_->begin(std::move(message));
  const Kind kind = co_await drive(content);
  CHECK(kind == Kind::message_done);
  std::vector<smtp::ClientOutcome> outcomes = machine_->outcomes();
  machine_->message_taken();
  usable_ = !closed_ && machine_->next().kind == Kind::ready;
  if (!usable_ && stream_) stream_->close();
  co_return outcomes;
}

io::Task<> Connection::quit() {
  if (usable_ && !closed_) {
    usable_ = false;
    machine_->quit();
    co_await drive(nullptr);
  }
  close();
}

void Connection::close() {
  closed_ = true;
  usable_ = false;
  if (stream_) stream_->close();
}

io::Task<Kind> Connection::drive(queue::Content* content) {
  for (;;) {
    const smtp::ClientAction action = machine_->next();
    switch (action.kind) {
      case Kind::read:
        co_await read(action);
        break;
      case Kind::write:
        co_await write(action);
        break;
      case Kind::content:
        CHECK(content != nullptr);
        co_await give_content(*content);
        break;
      case Kind::start_tls:
        co_await start_tls(action);
        break;
      case Kind::ready:
        usable_ = !closed_;
        co_return action.kind;
      case Kind::message_done:
        co_return action.kind;
      case Kind::close:
        usable_ = false;
        if (stream_) stream_->close();
        co_return action.kind;
    }
  }
}

io::Task<> Connection::read(const smtp::ClientAction& action) {
  if (action.new_wait) reply_deadline_ = reach_.world.clock.in(action.timeout);
  const auto got = co_await stream_->read_some(buffer_, reply_deadline_);
  if (!got)
    machine_->closed(got.error().cause);
  else if (*got == 0)
    machine_->closed(Cause::closed);
  else
    machine_->received({buffer_.data(), *got});
}

io::Task<> Connection::write(const smtp::ClientAction& action) {
  const auto deadline = reach_.world.clock.in(action.timeout);
  const auto sent = co_await stream_->write_all(action.bytes, deadline);
  if (sent) {
    machine_->written();
    co_return;
  }
  const Cause cause = sent.error().cause;
  // A server that refuses in the middle says why and closes; the words may wait in our socket.
  if (cause == Cause::closed) {
    const auto words =
        co_await stream_->read_some(buffer_, reach_.world.clock.in(last_words_timeout));
    if (words && *words > 0) machine_->received({buffer_.data(), *words});
  }
  machine_->closed(cause);
}

io::Task<> Connection::give_content(queue::Content& content) {
  const auto piece = co_await content.next_chunk();
  if (!piece) {
    reach_.log.line(Severity::error, "content-unreadable",
                    {{"error", piece.error().what},
                     {"do", "check the spool's disk; the message stays queued"}});
    machine_->content_failed();
  } else if (piece->empty()) {
    machine_->content_end();
  } else {
    machine_->content(*piece);
  }
}

io::Task<> Connection::start_tls(const smtp::ClientAction& action) {
  CHECK(reach_.tls != nullptr);
  // An address is no name: RFC 6066 section 3 forbids it in SNI.
  const bool named = !IpAddress::parse(target_.name);
  auto encrypted =
      co_await reach_.tls->start(std::move(stream_), named ? target_.name : std::string(),
                                 reach_.world.clock.in(action.timeout));
  if (!encrypted) {
    machine_->tls_failed(encrypted.error().what);
    co_return;
  }
  stream_ = *std::move(encrypted);
  if (closed_) stream_->close();
  machine_->tls_started();
}

}  // namespace postern::delivery
