#include "lab/mailbox_server.h"

#include "base/text.h"

namespace postern::lab {

MailboxServer::MailboxServer(const io::World& world, std::string hostname,
                             std::set<std::string> mailboxes)
    : world_(world),
      mailboxes_(std::move(mailboxes)),
      arrived_(world.clock),
      receiver_(
          world, std::move(hostname),
          [this](const IpAddress&, const std::string& address) { return check(address); },
          [this](const Received& received) { keep(received); }) {}

MailboxServer::~MailboxServer() = default;

Result<Endpoint> MailboxServer::start(Endpoint at) {
  return receiver_.start(at);
}

io::Task<> MailboxServer::stop() {
  arrived_.wake_all();
  co_await receiver_.stop();
}

std::optional<smtp::Reply> MailboxServer::check(const std::string& address) const {
  if (mailboxes_.contains(to_lower(address))) return std::nullopt;
  return smtp::Reply(550, {5, 1, 1}, "<" + address + ">: there is no such mailbox here");
}

void MailboxServer::keep(const Received& received) {
  for (const std::string& recipient : received.recipients) {
    letters_.push_back({received.reverse_path, recipient, received.content});
    if (listener_) listener_(letters_.back());
    if (letters_.size() > letters_max) letters_.pop_front();
  }
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
