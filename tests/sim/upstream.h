#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dice.h"
#include "history.h"
#include "io/sim/sim_world.h"
#include "line_stream.h"
#include "plan.h"

namespace postern::sim {

/// A mail server before the gateway, with one address for each kind of client. Does what a real one
/// does: keeps a message until the gateway has taken it or refused it for good for every recipient;
/// after a 4xx or a lost connection it tries again. Refused clients give up after some attempts.
class Upstream {
 public:
  Upstream(io::SimHost& host, Endpoint gateway, const Plan& plan, History& history);

  static IpAddress address_of(ClientKind kind);
  static std::vector<IpAddress> addresses();

  void start();
  /// Called whenever a whole content has been sent, before the reply.
  void on_sent(std::function<void()> listener) { sent_ = std::move(listener); }
  /// Nothing is left to send.
  [[nodiscard]] bool done() const;
  io::Task<> join() { return tasks_.join(); }

 private:
  struct Errand {
    std::string token;
    SteadyTime due;
    std::uint32_t attempts = 0;
    bool under_way = false;
  };
  enum class Pace : std::uint8_t { step_by_step, pipelined };
  struct Transaction;

  void make_mails();
  Mail make_mail(std::size_t number);
  std::vector<SentRecipient> make_recipients(std::size_t number);
  Errand* next_due(ClientKind kind);
  /// When something may be due that is not under way.
  [[nodiscard]] SteadyTime next_time(ClientKind kind) const;
  bool done(ClientKind kind) const;
  [[nodiscard]] static bool is_over(const Mail& mail);
  /// As much longer as the plan takes, while its faults last.
  [[nodiscard]] Duration slower(Duration duration) const;
  io::Task<> work(ClientKind kind, Dice dice);
  io::Task<> session(ClientKind kind, Dice& dice);
  /// Each false when the connection is of no more use.
  io::Task<bool> transaction(Transaction& transaction, Pace pace);
  io::Task<bool> envelope_step_by_step(Transaction& transaction);
  io::Task<bool> envelope_pipelined(Transaction& transaction);
  io::Task<bool> command(Transaction& transaction, std::string line);
  io::Task<bool> content(Transaction& transaction);
  void heard_rcpt(Transaction& transaction, std::size_t recipient);
  void refused(Transaction& transaction, const std::string& recipient);
  void put_back(Errand& errand, Dice& dice);
  [[nodiscard]] std::string mail_command(const Mail& mail, bool dsn) const;
  [[nodiscard]] std::string rcpt_command(const SentRecipient& recipient, bool dsn) const;

  io::World world_;
  Endpoint gateway_;
  Plan plan_;
  History& history_;
  Dice dice_;
  SteadyTime faults_end_;
  std::function<void()> sent_ = [] {};
  std::map<ClientKind, std::vector<Errand>> errands_;
  io::TaskGroup tasks_;
};

}  // namespace postern::sim
