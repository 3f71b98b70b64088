#pragma once

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/network.h"
#include "io/task_group.h"
#include "io/world.h"

namespace postern::delivery::testing {

/// A next hop for tests: an SMTP or LMTP server that does what a script says and keeps what it was
/// sent. `script` is asked about every command (and "<greeting>", and "<content>" or, with LMTP,
/// "<content> address" after the final dot) and gives the reply without CRLF, or "" for the usual
/// one. Special replies: "<hang>" nothing for ever, "<close>" end of the connection, "<reset>"
/// the same at once; "<raw>..." is sent as it is.
class Sink {
 public:
  struct Message {
    std::string mail;  // the MAIL command
    std::vector<std::string> rcpts;
    std::string content;  // as after "DATA", dots unstuffed
    std::size_t connection = 0;
    SteadyTime at;
  };

  Sink(const io::World& world, Endpoint at)
      : world_(world), at_(at), tasks_(world.executor, world.clock, 1000) {}

  std::function<std::string(const std::string& command)> script = [](const std::string&) {
    return std::string();
  };
  std::string extensions = "PIPELINING\nSIZE 10000000\n8BITMIME\nDSN\nENHANCEDSTATUSCODES";
  bool lmtp = false;

  std::vector<Message> messages;
  std::vector<std::string> commands;
  std::size_t connections = 0;
  std::size_t connections_now = 0;
  std::size_t connections_most = 0;

  void start() {
    auto listener = world_.network.listen(at_);
    CHECK(listener);
    listener_ = *std::move(listener);
    tasks_.spawn("sink", accept());
  }
  io::Task<> stop() {
    if (listener_) listener_->close();
    for (io::Stream* stream : streams_) stream->close();
    co_await tasks_.join();
  }

 private:
  struct Session {
    std::unique_ptr<io::Stream> stream;
    std::string input;
    std::size_t number = 0;
    Message message;
    bool ended = false;
  };

  io::Task<> accept() {
    while (true) {
      auto stream = co_await listener_->accept();
      if (!stream) co_return;
      ++connections;
      auto session = std::make_shared<Session>();
      session->stream = *std::move(stream);
      session->number = connections;
      tasks_.spawn("sink-session", serve(std::move(session)));
    }
  }

  io::Task<> serve(std::shared_ptr<Session> session) {
    streams_.insert(session->stream.get());
    connections_most = std::max(connections_most, ++connections_now);
    co_await say(*session, "<greeting>", "220 sink ESMTP");
    while (!session->ended) {
      const std::string line = co_await read_until(*session, "\r\n");
      if (session->ended) break;
      co_await command(*session, line.substr(0, line.size() - 2));
    }
    --connections_now;
    streams_.erase(session->stream.get());
    session->stream->close();
  }

  io::Task<> command(Session& session, std::string line) {
    commands.push_back(line);
    const std::string verb = line.substr(0, 4);
    if (verb == "EHLO" || verb == "LHLO") {
      std::string reply = "250-sink";
      for (std::size_t at = 0, end = 0; at <= extensions.size(); at = end + 1) {
        end = std::min(extensions.find('\n', at), extensions.size());
        reply += "\r\n250-" + extensions.substr(at, end - at);
      }
      co_await say(session, line, reply + "\r\n250 HELP");
    } else if (verb == "DATA") {
      const bool none = session.message.rcpts.empty();
      const std::string usual = none ? "554 5.5.1 no valid recipients" : "354 go";
      const std::string reply = co_await say(session, line, usual);
      if (reply.starts_with("354") && !session.ended) co_await content(session);
    } else if (verb == "QUIT") {
      co_await say(session, line, "221 bye");
      session.ended = true;
    } else {
      if (verb == "MAIL") session.message = {};
      if (verb == "RSET") session.message = {};
      const std::string reply = co_await say(session, line, "250 2.0.0 ok");
      if (verb == "MAIL") session.message.mail = line;
      if (verb == "RCPT" && reply.starts_with('2')) session.message.rcpts.push_back(line);
    }
  }

  io::Task<> content(Session& session) {
    // The DATA command's own CRLF counts as the one before the dot of an empty message.
    session.input.insert(0, "\r\n");
    std::string bytes = co_await read_until(session, "\r\n.\r\n");
    if (session.ended) co_return;
    bytes.resize(bytes.size() - 3);
    for (std::size_t at = bytes.find("\r\n.."); at != std::string::npos;
         at = bytes.find("\r\n..", at + 2))
      bytes.erase(at + 2, 1);
    session.message.content = bytes.substr(2);
    session.message.connection = session.number;
    session.message.at = world_.clock.now();
    if (!lmtp) {
      const std::string reply = co_await say(session, "<content>", "250 2.0.0 taken");
      if (reply.starts_with('2')) messages.push_back(session.message);
      co_return;
    }
    for (const std::string& rcpt : session.message.rcpts)
      co_await say(session, "<content> " + rcpt, "250 2.0.0 taken");
    messages.push_back(session.message);
  }

  // Sends what the script or `usual` says; gives what it was.
  io::Task<std::string> say(Session& session, const std::string& to, std::string usual) {
    std::string reply = script(to);
    if (reply.empty()) reply = std::move(usual);
    if (session.ended) co_return reply;
    if (reply == "<hang>") {
      std::array<char, 512> ignored;
      while (true) {
        const auto got = co_await session.stream->read_some(ignored, io::Deadline::never());
        if (!got || *got == 0) break;
      }
      session.ended = true;
    } else if (reply == "<close>" || reply == "<reset>") {
      if (reply == "<close>") session.stream->shutdown_write();
      session.stream->close();
      session.ended = true;
    } else {
      const std::string bytes = reply.starts_with("<raw>") ? reply.substr(5) : reply + "\r\n";
      const auto sent =
          co_await session.stream->write_all(bytes, world_.clock.in(std::chrono::minutes(1)));
      if (!sent) session.ended = true;
    }
    co_return reply;
  }

  io::Task<std::string> read_until(Session& session, std::string_view end) {
    std::array<char, 4096> buffer;
    std::size_t at = 0;
    while ((at = session.input.find(end)) == std::string::npos) {
      const auto got = co_await session.stream->read_some(buffer, io::Deadline::never());
      if (!got || *got == 0) {
        session.ended = true;
        co_return "";
      }
      session.input.append(buffer.data(), *got);
    }
    std::string taken = session.input.substr(0, at + end.size());
    session.input.erase(0, at + end.size());
    co_return taken;
  }

  io::World world_;
  Endpoint at_;
  io::TaskGroup tasks_;
  std::unique_ptr<io::Listener> listener_;
  std::set<io::Stream*> streams_;
};

/// A script: `reply` to every command that begins with `prefix`, the usual ones to the rest.
inline std::function<std::string(const std::string&)> answers(std::string prefix,
                                                              std::string reply) {
  return [prefix = std::move(prefix), reply = std::move(reply)](const std::string& command) {
    return command.starts_with(prefix) ? reply : std::string();
  };
}

}  // namespace postern::delivery::testing
