#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/task_group.h"
#include "io/world.h"
#include "smtp/server_machine.h"

namespace postern::lab {

/// A message as the laboratory's servers take it.
struct Received {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::string content;
  std::string helo;
  IpAddress client;
};

/// The receiving half of the laboratory's servers, on Postern's own smtp::ServerMachine. What is
/// taken, its owner decides.
class Receiver {
 public:
  static constexpr std::size_t sessions_max = 50;

  /// Nothing: taken; or the refusal. Called for each recipient.
  using CheckRecipient = std::function<std::optional<smtp::Reply>(const IpAddress& client,
                                                                  const std::string& address)>;
  using Take = std::function<void(Received)>;

  Receiver(const io::World& world, std::string hostname, CheckRecipient check_recipient, Take take);

  /// Binds (port 0: any) and begins to accept.
  Result<Endpoint> start(Endpoint at);
  /// Ends all sessions. Before destruction.
  io::Task<> stop();

 private:
  io::Task<> accept_all();
  io::Task<> serve(std::shared_ptr<io::Stream> stream);
  io::Task<bool> act(smtp::ServerMachine& machine, io::Stream& stream, Received& transaction);
  void answer_recipient(smtp::ServerMachine& machine, const IpAddress& client,
                        const smtp::ServerMachine::CheckRcpt& check);

  io::World world_;
  smtp::ServerOptions options_;
  CheckRecipient check_recipient_;
  Take take_;
  std::unique_ptr<io::Listener> listener_socket_;
  std::set<std::shared_ptr<io::Stream>> streams_;
  io::TaskGroup tasks_;
};

}  // namespace postern::lab
