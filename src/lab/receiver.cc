#include "lab/receiver.h"

#include <array>

namespace postern::lab {
namespace {

using Machine = smtp::ServerMachine;

template <typename... Parts>
struct Overloaded : Parts... {
  using Parts::operator()...;
};

// The machine greets as Postern, which these servers are not.
std::string in_no_name(std::string bytes) {
  constexpr std::string_view name = " ESMTP Postern\r\n";
  if (const auto at = bytes.find(name); at != std::string::npos)
    bytes.replace(at, name.size(), " ESMTP\r\n");
  return bytes;
}

}  // namespace

Receiver::Receiver(const io::World& world, std::string hostname, CheckRecipient check_recipient,
                   Take take)
    : world_(world),
      options_{.hostname = std::move(hostname)},
      check_recipient_(std::move(check_recipient)),
      take_(std::move(take)),
      tasks_(world.executor, world.clock, sessions_max + 1) {}

Result<Endpoint> Receiver::start(Endpoint at) {
  TRY(listener_socket_, world_.network.listen(at));
  tasks_.spawn("receiver accept", accept_all());
  return listener_socket_->local();
}

io::Task<> Receiver::stop() {
  if (listener_socket_) listener_socket_->close();
  for (const auto& stream : streams_) stream->close();
  co_await tasks_.join();
}

io::Task<> Receiver::accept_all() {
  for (;;) {
    auto accepted = co_await listener_socket_->accept();
    if (!accepted) {
      if (accepted.error().cause == Cause::cancelled) co_return;
      co_await world_.clock.sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    std::shared_ptr<io::Stream> stream(*std::move(accepted));
    if (!tasks_.spawn("receiver session", serve(stream))) stream->close();
  }
}

io::Task<> Receiver::serve(std::shared_ptr<io::Stream> stream) {
  streams_.insert(stream);
  Machine machine(options_, Machine::TlsOffer::none);
  Received transaction;
  while (co_await act(machine, *stream, transaction)) {
  }
  stream->close();
  streams_.erase(stream);
}

// Carries out the machine's next action; false when the session is over.
io::Task<bool> Receiver::act(Machine& machine, io::Stream& stream, Received& transaction) {
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
    const std::string bytes = in_no_name(send->bytes);
    if (!co_await stream.write_all(bytes, world_.clock.in(send->timeout))) machine.peer_closed();
    co_return true;
  }
  std::visit(
      Overloaded{
          [&](const Machine::CheckHelo&) { machine.accept(); },
          [&](const Machine::CheckMail&) { machine.accept(); },
          [&](const Machine::CheckRcpt& check) {
            answer_recipient(machine, stream.remote().address, check);
          },
          [&](const Machine::StartData& start) {
            transaction = {
                start.envelope->reverse_path, {}, {}, machine.helo(), stream.remote().address};
            for (const auto& recipient : start.envelope->recipients)
              transaction.recipients.push_back(recipient.address);
            machine.accept();
          },
          [&](const Machine::Body& body) { transaction.content += body.bytes; },
          [&](const Machine::EndData&) {
            take_(std::exchange(transaction, {}));
            machine.answer(smtp::Reply(250, {2, 0, 0}, "Taken"));
          },
          [&](const Machine::DropTransaction&) { transaction = {}; },
          [](const auto&) {},
      },
      action);
  co_return !std::holds_alternative<Machine::Close>(action);
}

void Receiver::answer_recipient(Machine& machine, const IpAddress& client,
                                const Machine::CheckRcpt& check) {
  if (const auto refusal = check_recipient_(client, check.recipient->address))
    machine.answer(*refusal);
  else
    machine.accept();
}

}  // namespace postern::lab
