#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "admin/commands.h"
#include "admin/control_protocol.h"
#include "base/log.h"
#include "base/result.h"
#include "io/network.h"
#include "io/task_group.h"
#include "io/world.h"

namespace postern::admin {

struct ControlOptions {
  std::string path;  ///< of the Unix socket, which gets mode 0600
  std::size_t connections_max = 16;
  Duration request_deadline = std::chrono::seconds(30);  ///< to send one, and to take its reply
};

/// Answers administrators on a Unix socket. Only who may open the socket file gets in: the user
/// that the server runs as, and root. One object for each server, on its shard; start() once,
/// stop() before destruction.
class ControlServer {
 public:
  /// What is given outlives the server.
  ControlServer(const io::World& world, Log& log, Commands& commands, ControlOptions options);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Begins to listen. Error: Blame::operator_; Cause::in_use when another server listens there.
  Result<> start();
  /// Closes the socket and every connection and waits for their ends.
  io::Task<> stop();

 private:
  io::Task<> accept_loop();
  io::Task<> serve(std::unique_ptr<io::Stream> stream);
  io::Task<> converse(io::Stream& stream);
  io::Task<boost::json::object> answer(std::string line);
  io::Task<boost::json::object> execute(Request request);
  io::Task<boost::json::object> act(queue::Command command, Request request);

  io::World world_;
  Log& log_;
  Commands& commands_;
  ControlOptions options_;
  std::unique_ptr<io::Listener> listener_;
  std::set<io::Stream*> streams_;  ///< of the connections under way
  io::TaskGroup tasks_;
};

}  // namespace postern::admin
