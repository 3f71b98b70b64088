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

/// What a next hop is and what it may do wrong.
struct NextHopOptions {
  std::string name;
  IpAddress address;
  bool is_mailbox = false;  ///< the sender's: takes reports
  bool greylisting = false;
  std::uint64_t seed = 0;
};

/// A mail server beyond the gateway. Refuses recipients "gone..." and unwanted contents for good,
/// always; refuses for a time, hangs, breaks connections and loses its last reply while it is
/// flaky. Writes what it takes into the history.
class NextHop {
 public:
  NextHop(io::SimHost& host, NextHopOptions options, History& history);

  void start();
  void set_flaky(bool flaky) { flaky_ = flaky; }
  /// Called whenever it has taken a message, before it answers.
  void on_taken(std::function<void()> listener) { taken_ = std::move(listener); }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  io::Task<> stop();

 private:
  struct Session;
  enum class Mood : std::uint8_t { usual, refuses, hangs, breaks };

  io::Task<> accept_all();
  io::Task<> serve(std::unique_ptr<io::Stream> stream);
  /// Each false when the session is over.
  io::Task<bool> say(Session& session, std::string reply);
  io::Task<bool> say_in(Mood now, Session& session, std::string reply, std::string refusal);
  io::Task<bool> act(Session& session, std::string line);
  io::Task<bool> recipient(Session& session, std::string address);
  io::Task<bool> data(Session& session);
  void take(Session& session, const std::string& content);
  void take_report(Session& session, const std::string& content);
  void reply_was_read(Session& session);
  Mood mood();
  bool greylisted(const std::string& reverse_path, const std::string& recipient);

  io::World world_;
  NextHopOptions options_;
  History& history_;
  Dice dice_;
  bool flaky_ = false;
  std::function<void()> taken_ = [] {};
  std::size_t sessions_ = 0;
  std::map<std::pair<std::string, std::string>, SteadyTime> first_seen_;
  std::unique_ptr<io::Listener> listener_;
  io::TaskGroup tasks_;
};

/// What stands after "X-Token: " in a content; empty when nothing does.
std::string token_in(const std::string& content);

}  // namespace postern::sim
