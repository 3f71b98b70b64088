#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dice.h"
#include "history.h"
#include "io/sim/sim_world.h"
#include "line_stream.h"

namespace postern::sim {

/// How a next hop behaves at this time.
enum class Temper : std::uint8_t {
  usual,
  busy,   ///< refuses for a time now and then
  flaky,  ///< also hangs, breaks connections, and loses its last reply
};

/// What a next hop is and what it may do wrong.
struct NextHopOptions {
  std::string name;
  IpAddress address;
  bool is_mailbox = false;  ///< the sender's: takes reports
  bool lmtp = false;        ///< RFC 2033: a reply for each recipient after the content
  bool dsn = false;         ///< offers it
  bool greylisting = false;
  bool gateway_ends_sessions = false;  ///< nothing keeps the gateway's end of a session from us
  std::size_t recipients_max = 0;      ///< in one transaction; 0: all
  std::uint64_t seed = 0;
};

/// A mail server beyond the gateway. Writes what it takes, and what it was asked to take, into the
/// history.
class NextHop {
 public:
  NextHop(io::SimHost& host, NextHopOptions options, History& history);

  void start();
  void set_temper(Temper temper) { temper_ = temper; }
  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] const IpAddress& address() const { return options_.address; }
  /// Called whenever it has taken a message, before it answers.
  void on_taken(std::function<void()> listener) { taken_ = std::move(listener); }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  io::Task<> stop();

 private:
  struct Session;
  struct Taken;
  enum class Mood : std::uint8_t { usual, refuses, hangs, stops, breaks };

  io::Task<> accept_all();
  io::Task<> serve(std::unique_ptr<io::Stream> stream);
  /// Each false when the session is over.
  io::Task<bool> say(Session& session, std::string reply);
  io::Task<bool> say_in(Mood now, Session& session, std::string reply, std::string refusal);
  /// Says no more until the gateway ends the session.
  io::Task<> wait_for_end(Session& session);
  io::Task<bool> act(Session& session, std::string line);
  io::Task<bool> hello(Session& session, bool lmtp);
  io::Task<bool> mail(Session& session, const std::string& line);
  io::Task<bool> recipient(Session& session, const std::string& line);
  io::Task<bool> data(Session& session);
  io::Task<bool> answer_each(Session& session, const std::string& content, bool unwanted);
  std::string verdict_on(Session& session, const Taken& taken);
  void take(Session& session, const Taken& taken, const std::string& content);
  void take_report(Session& session, const Taken& taken, const std::string& content);
  void reply_was_read(Session& session);
  void decide(std::size_t attempt, const std::string& reply);
  Mood mood();
  bool greylisted(const std::string& reverse_path, const std::string& recipient);

  io::World world_;
  NextHopOptions options_;
  History& history_;
  Dice dice_;
  Temper temper_ = Temper::usual;
  std::function<void()> taken_ = [] {};
  std::size_t sessions_ = 0;
  std::map<std::pair<std::string, std::string>, SteadyTime> first_seen_;
  std::unique_ptr<io::Listener> listener_;
  io::TaskGroup tasks_;
};

}  // namespace postern::sim
