#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "io/programs.h"
#include "io/task_group.h"
#include "io/world.h"
#include "policy/breaker_watch.h"
#include "policy/unknown_ip.h"
#include "queue/queue.h"

namespace postern::server {

struct BreakerAlertOptions {
  std::string hostname;
  policy::UnknownIpMode mode = policy::UnknownIpMode::enforce;  ///< what the check does otherwise
  std::string mail_to;                                          ///< empty: no mail
  /// A program and its arguments; empty: none. What happened is in its environment, POSTERN_EVENT
  /// and so on.
  std::vector<std::string> command;
  Duration command_timeout = std::chrono::seconds(30);
  io::Programs* programs = nullptr;  ///< for the command; nullptr: it is not run
};

/// Tells that the breaker opened or closed: always the log, and by mail and by command. Bound:
/// alerts_per_hour_max; those beyond only stand in the log. On one shard; stop() before
/// destruction.
class BreakerAlerts {
 public:
  /// What is given by reference outlives it.
  BreakerAlerts(const io::World& world, Log& log, queue::Queue& queue,
                policy::BreakerWatch& breaker, BreakerAlertOptions options);
  ~BreakerAlerts();
  BreakerAlerts(const BreakerAlerts&) = delete;
  BreakerAlerts& operator=(const BreakerAlerts&) = delete;

  /// For alerts from now on.
  void set_options(BreakerAlertOptions options) { options_ = std::move(options); }
  /// No more alerts: what the end of the server does to lookups is no news.
  void cease();
  /// Ceases too. Resumes when the alerts under way have ended; what runs at the deadline is killed.
  io::Task<> stop(io::Deadline deadline);

  static constexpr std::uint64_t alerts_per_hour_max = 12;

 private:
  void tell(const policy::BreakerChange& change);
  void log(const policy::BreakerChange& change);
  bool within_rate();
  [[nodiscard]] bool enforces() const { return options_.mode == policy::UnknownIpMode::enforce; }
  [[nodiscard]] std::string_view subject(const policy::BreakerChange& change) const;
  [[nodiscard]] std::string letter(const policy::BreakerChange& change) const;
  [[nodiscard]] io::Programs::Call call(const policy::BreakerChange& change) const;
  io::Task<> run(io::Programs::Call call);
  io::Task<> mail(std::string to, std::string content);
  io::Task<Result<>> enqueue(mail::Envelope envelope, queue::Provenance provenance,
                             std::string_view content);

  io::World world_;
  Log& log_;
  queue::Queue& queue_;
  policy::BreakerWatch& breaker_;
  BreakerAlertOptions options_;
  SteadyTime hour_begins_;
  std::uint64_t this_hour_ = 0;
  io::TaskGroup tasks_;
};

}  // namespace postern::server
