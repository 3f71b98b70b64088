#include "lab/mailbox_server.h"

#include <array>

#include "base/text.h"

namespace postern::lab {
namespace {

using Machine = smtp::ServerMachine;

template <typename... Parts>
struct Overloaded : Parts... {
  using Parts::operator()...;
};

}  // namespace

MailboxServer::MailboxServer(const io::World& world, std::string hostname,
                             std::set<std::string> mailboxes)
    : world_(world),
      options_{.hostname = std::move(hostname)},
      mailboxes_(std::move(mailboxes)),
      arrived_(world.clock),
      tasks_(world.executor, world.clock, sessions_max + 1) {}

MailboxServer::~MailboxServer() = default;

Result<Endpoint> MailboxServer::start(Endpoint at) {
  TRY(listener_socket_, world_.network.listen(at));
  tasks_.spawn("mailbox server accept", accept_all());
  return listener_socket_->local();
}

io::Task<> MailboxServer::stop() {
  if (listener_socket_) listener_socket_->close();
  for (const auto& stream : streams_) stream->close();
  arrived_.wake_all();
  co_await tasks_.join();
}

io::Task<> MailboxServer::accept_all() {
  for (;;) {
    auto accepted = co_await listener_socket_->accept();
    if (!accepted) {
      if (accepted.error().cause == Cause::cancelled) co_return;
      co_await world_.clock.sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    std::shared_ptr<io::Stream> stream(*std::move(accepted));
    if (!tasks_.spawn("mailbox server session", serve(stream))) stream->close();
  }
}

io::Task<> MailboxServer::serve(std::shared_ptr<io::Stream> stream) {
  streams_.insert(stream);
  Machine machine(options_, Machine::TlsOffer::none);
  Transaction transaction;
  while (co_await act(machine, *stream, transaction)) {
  }
  stream->close();
  streams_.erase(stream);
}

// Carries out the machine's next action; false when the session is over.
io::Task<bool> MailboxServer::act(Machine& machine, io::Stream& stream, Transaction& transaction) {
  Machine::Action action = machine.next();
  if (const auto* read = std::get_if<Machine::Read>(&action)) {
    std::array<char, 4096> buffer;
    const auto got = co_await stream.read_some(buffer, world_.clock.in(read->timeout));
    if (!got && got.error().cause == Cause::timed_out)
      machine.timed_out();
    else if (!got || *got == 0)
      machine.peer_closed();
    else
      machine.feed({buffer.data(), *got});
    co_return true;
  }
  if (const auto* send = std::get_if<Machine::Send>(&action)) {
    if (!co_await stream.write_all(send->bytes, world_.clock.in(send->timeout)))
      machine.peer_closed();
    co_return true;
  }
  std::visit(Overloaded{
                 [&](const Machine::CheckMail&) { machine.accept(); },
                 [&](const Machine::CheckRcpt& check) { answer_recipient(machine, check); },
                 [&](const Machine::StartData& start) {
                   transaction = {};
                   transaction.reverse_path = start.envelope->reverse_path;
                   for (const auto& recipient : start.envelope->recipients)
                     transaction.recipients.push_back(recipient.address);
                   machine.accept();
                 },
                 [&](const Machine::Body& body) { transaction.content += body.bytes; },
                 [&](const Machine::EndData&) {
                   keep(transaction);
                   machine.answer(smtp::Reply(250, {2, 0, 0}, "In the mailbox"));
                 },
                 [&](const Machine::DropTransaction&) { transaction = {}; },
                 [](const auto&) {},
             },
             action);
  co_return !std::holds_alternative<Machine::Close>(action);
}

void MailboxServer::answer_recipient(Machine& machine, const Machine::CheckRcpt& check) {
  const std::string& address = check.recipient->address;
  if (mailboxes_.contains(to_lower(address)))
    machine.accept();
  else
    machine.answer(smtp::Reply(550, {5, 1, 1}, "<" + address + ">: there is no such mailbox here"));
}

void MailboxServer::keep(Transaction& transaction) {
  for (const std::string& recipient : transaction.recipients) {
    letters_.push_back({transaction.reverse_path, recipient, transaction.content});
    if (listener_) listener_(letters_.back());
    if (letters_.size() > letters_max) letters_.pop_front();
  }
  transaction = {};
  arrived_.wake_all();
}

io::Task<Result<Letter>> MailboxServer::take(std::string recipient, io::Deadline deadline) {
  for (;;) {
    for (auto letter = letters_.begin(); letter != letters_.end(); ++letter) {
      if (!equal_ignoring_case(letter->recipient, recipient)) continue;
      Letter taken = std::move(*letter);
      letters_.erase(letter);
      co_return taken;
    }
    if (deadline.passed(world_.clock.now()))
      co_return our_failure(Cause::timed_out, "no letter for " + recipient + " arrived in time");
    co_await arrived_.wait(deadline);
  }
}

}  // namespace postern::lab
