#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/notify.h"
#include "io/task_group.h"
#include "io/world.h"
#include "smtp/server_machine.h"

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
  static constexpr std::size_t sessions_max = 50;

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
  struct Transaction {
    std::string reverse_path;
    std::vector<std::string> recipients;
    std::string content;
  };
  io::Task<> accept_all();
  io::Task<> serve(std::shared_ptr<io::Stream> stream);
  io::Task<bool> act(smtp::ServerMachine& machine, io::Stream& stream, Transaction& transaction);
  void answer_recipient(smtp::ServerMachine& machine, const smtp::ServerMachine::CheckRcpt& check);
  void keep(Transaction& transaction);

  io::World world_;
  smtp::ServerOptions options_;
  std::set<std::string> mailboxes_;  // lower case
  std::unique_ptr<io::Listener> listener_socket_;
  std::set<std::shared_ptr<io::Stream>> streams_;
  std::deque<Letter> letters_;
  std::function<void(const Letter&)> listener_;
  io::Notify arrived_;
  io::TaskGroup tasks_;
};

}  // namespace postern::lab
