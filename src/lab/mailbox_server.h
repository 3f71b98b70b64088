#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/notify.h"
#include "io/world.h"
#include "lab/receiver.h"

namespace postern::lab {

/// A message in a mailbox of the laboratory.
struct Letter {
  std::string reverse_path;
  std::string recipient;
  std::string content;
};

/// A mail server with mailboxes in memory: takes mail for those it has and refuses any other
/// recipient with 550 5.1.1. Stands in for the recipient's server, and for the sender's own server
/// where reports come back. Keeps at most letters_max letters, the newest.
class MailboxServer {
 public:
  static constexpr std::size_t letters_max = 100;

  MailboxServer(const io::World& world, std::string hostname, std::set<std::string> mailboxes);
  ~MailboxServer();

  /// Binds (port 0: any) and begins to accept.
  Result<Endpoint> start(Endpoint at);
  /// Ends all sessions. Before destruction.
  io::Task<> stop();

  /// The oldest letter for `recipient` that has not been taken; waits for one until the deadline.
  io::Task<Result<Letter>> take(std::string recipient, io::Deadline deadline);

  /// Calls `listener` for every letter, when it has arrived.
  void on_letter(std::function<void(const Letter&)> listener) { listener_ = std::move(listener); }

 private:
  std::optional<smtp::Reply> check(const std::string& address) const;
  void keep(const Received& received);

  io::World world_;
  std::set<std::string> mailboxes_;  // lower case
  std::deque<Letter> letters_;
  std::function<void(const Letter&)> listener_;
  io::Notify arrived_;
  Receiver receiver_;
};

}  // namespace postern::lab
