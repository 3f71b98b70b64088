#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "delivery/probe.h"
#include "delivery/surroundings.h"
#include "io/task_group.h"
#include "mail/address.h"

namespace postern::delivery {

/// Asks next hops whether they take mail for a recipient, by a transaction that ends before DATA:
/// the same routes, MX lists, TLS and protocols as delivery. One shard. Keeps no answers, only how
/// a destination failed: for ProberOptions::pause nothing more is asked of it. Recipients that are
/// asked about at the same time, or shortly one after the other, share connections.
///
/// Bounds: ProberOptions, connections and waiting recipients of one destination, connections in
/// all. Log: one `probe` line for each answer of a next hop, and for each failure to get one.
///
/// Lifecycle: construct, and stop() before it is destroyed. Everything lent outlives it.
class Prober {
 public:
  Prober(const io::World& world, dns::Resolver& resolver, TlsClient* tls, Log& log,
         const DeliveryOptions& options);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// Resumes with the answer, or as `undecided` when ProberOptions::duration_max has passed, when a
  /// bound is met, or when the destination failed a moment ago.
  io::Task<ProbeResult> probe(mail::Mailbox recipient);
  /// Asks nothing more, and answers whoever waits as `undecided` at once: before the sessions are
  /// ended, so that none of them has to wait for a next hop.
  void cease();
  /// The same; resumes when no connection is left: quick once the resolver has stopped.
  io::Task<> stop();
  /// For probes that begin after this (SIGHUP). Forgets failures.
  void set_options(const DeliveryOptions& options);

  [[nodiscard]] std::size_t connections() const { return askers_.size(); }

 private:
  struct Question;
  struct Destination;
  struct Asker;

  Destination& destination(const std::string& name);
  bool send_asker(Destination& destination);
  io::Task<> run_asker(Destination& destination);
  io::Task<std::shared_ptr<Question>> next_question(Destination& destination, const Asker& asker);
  io::Task<> answer(Destination& destination, Asker& asker, Question& question);
  io::Task<ProbeResult> ask(Destination& destination, Asker& asker, const Question& question);
  /// Nothing, or why no host took a connection.
  io::Task<std::optional<Outcome>> connect(Destination& destination, Asker& asker);
  void failed(Destination& destination, const Outcome& outcome);
  void forget_if_idle(Destination& destination);
  void log(Severity severity, const Question& question, const ProbeResult& result);

  Reach reach_;
  RouteTable routes_;
  io::TaskGroup tasks_;
  std::unordered_map<std::string, std::unique_ptr<Destination>> destinations_;
  std::set<Asker*> askers_;
  std::size_t askers_begun_ = 0;  // and not ended: bounded before their tasks run
  bool stopping_ = false;
};

}  // namespace postern::delivery
