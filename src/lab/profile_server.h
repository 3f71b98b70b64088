#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dns/resolver.h"
#include "io/world.h"
#include "lab/history.h"
#include "lab/mailbox_server.h"
#include "lab/outlet.h"
#include "lab/product_report.h"
#include "lab/receiver.h"
#include "upstream/profile.h"

namespace postern::lab {

/// What a ProfileServer is.
struct ProfileServerOptions {
  std::string hostname;
  IpAddress address;
  std::set<std::string> mailboxes;    ///< lower case; their domains are its own
  std::set<IpAddress> relay_clients;  ///< may send to anybody through it
  std::optional<Endpoint> smarthost;  ///< all mail for others goes there; else by MX
  upstream::Profile profile;
  std::vector<Outlet> pool;  ///< it sends from these too: each attempt from the next one
  Duration late_max{};       ///< how late it tries again: drawn, half of the wait at the most
};

/// A model of a mail server that is not Postern: takes mail by SMTP, delivers it by MX, tries again
/// as its profile says, tells its user of the delay, gives up, and reports as that product does. It
/// really speaks SMTP; what happens to it happens on the wire.
///
/// One task for each message, at most messages_max. Ends with its host.
class ProfileServer {
 public:
  static constexpr std::size_t messages_max = 1'000;

  using OnLetter = std::function<void(const Letter&)>;
  using OnHappening = std::function<void(Happening::Kind kind, const std::string& sender,
                                         const std::string& recipient, std::string text)>;

  /// `resolver` outlives it.
  ProfileServer(const io::World& world, dns::Resolver& resolver, ProfileServerOptions options,
                OnLetter on_letter, OnHappening on_happening);

  /// Binds port 25 and begins to accept.
  Result<> start();
  /// Messages it is responsible for.
  [[nodiscard]] std::size_t messages() const { return tasks_.size(); }

 private:
  /// What the last attempt met for one recipient.
  struct Answer {
    enum class Verdict : std::uint8_t { delivered, temporary, permanent };
    Verdict verdict = Verdict::temporary;
    std::string reply;
    std::string stage;
    std::string mx;
    std::string mx_ip;
  };
  struct Waiting {
    std::string address;
    Answer answer;
    bool done = false;
  };
  struct Message {
    std::string reverse_path;
    std::vector<Waiting> recipients;
    std::string content;
    SteadyTime arrived;
    std::size_t attempts = 0;  ///< begun
    [[nodiscard]] bool done() const;
  };
  struct Target {
    std::string name;
    IpAddress address;
  };

  std::optional<smtp::Reply> check(const IpAddress& client, const std::string& address) const;
  void take(Received received);
  void enqueue(std::string reverse_path, std::vector<std::string> recipients, std::string content);
  [[nodiscard]] bool is_ours(const std::string& address) const;
  [[nodiscard]] std::string trace_field(const Received& received) const;

  io::Task<> keep_trying(Message message);
  [[nodiscard]] Outlet outlet(const Message& message) const;
  [[nodiscard]] Duration lateness(Duration pause) const;
  io::Task<> wait(Message& message, SteadyTime next);
  io::Task<> attempt(Message& message);
  io::Task<> attempt_domain(Message& message, std::string domain);
  io::Task<std::vector<Target>> targets(std::string domain, std::string& failure);
  io::Task<> attempt_target(Message& message, std::string domain, Target target);
  io::Task<> converse(Message& message, std::string domain, Target target);
  void refuse_all(Message& message, const std::string& domain, const Answer& answer);
  void settle(Message& message);
  void fail(const Message& message, const Waiting& recipient);
  void tell_delay(const Message& message);
  void report(ReportKind kind, const Message& message, const Waiting& recipient);

  io::World world_;
  dns::Resolver& resolver_;
  ProfileServerOptions options_;
  std::set<std::string> domains_;
  OnLetter on_letter_;
  OnHappening on_happening_;
  io::TaskGroup tasks_;
  Receiver receiver_;
};

}  // namespace postern::lab
