#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "delivery/limits.h"
#include "delivery/outcome.h"
#include "io/clock.h"
#include "io/notify.h"

namespace postern::delivery {

/// How many connections a destination bears, learnt from what becomes of deliveries, as Postfix's
/// queue manager does it: from `initial` up by one with each that is answered, while the
/// connections are used; down by one with each that is not, to one at least. A pseudo-cohort is as
/// many deliveries as there are connections: when a whole one fails and none is answered meanwhile,
/// the destination is dead. Pure.
class Concurrency {
 public:
  static constexpr std::size_t initial = 5;

  [[nodiscard]] std::size_t window() const { return window_; }
  void succeeded(std::size_t in_use, std::size_t window_max);
  /// True: a pseudo-cohort has failed.
  bool failed();
  [[nodiscard]] bool troubled() const { return failed_cohorts_ > 0; }

 private:
  std::size_t window_ = initial;
  double failed_cohorts_ = 0;
};

/// A token bucket: so many messages a minute, spread over the minute; it holds what a second
/// brings, and one message at least. Pure.
class RateBound {
 public:
  void set(std::uint32_t per_minute_max) { per_minute_max_ = per_minute_max; }
  /// Takes a token when there is one. Always true without a bound.
  bool take(SteadyTime now);
  /// What take() gave was not used.
  void put_back();
  /// When there will be one; not in the past.
  [[nodiscard]] SteadyTime next(SteadyTime now) const;
  [[nodiscard]] bool at_rest(SteadyTime now) const;

 private:
  [[nodiscard]] double capacity() const;
  [[nodiscard]] double tokens_at(SteadyTime now) const;

  std::uint32_t per_minute_max_ = 0;  // 0: no bound
  double taken_ = 0;                  // of the capacity, at `as_of_`
  SteadyTime as_of_;
};

/// What is known of a destination while couriers serve it, and while it is in trouble.
class Destination {
 public:
  Destination(std::string destination, Limits the_limits, io::Clock& clock);

  void set_limits(Limits the_limits);

  // --- how it fares. `epoch` is what begin() gave when the attempt began.
  [[nodiscard]] std::uint32_t begin() const { return epoch_; }
  /// It took or refused a message.
  void answered();
  /// No host of it would say anything about a message. True: it is dead from now on: until
  /// dead_until() its mail waits without an attempt, and only its own. That time grows with each
  /// failure as the retry list does; then one courier probes it.
  bool failed(const Outcome& outcome, std::uint32_t epoch, SteadyTime now);
  /// The administrator wants an attempt now; those that are under way do not count any more.
  void forgive();
  [[nodiscard]] bool dead(SteadyTime now) const { return deaths_ > 0 && now < dead_until_; }
  [[nodiscard]] SteadyTime dead_until() const { return dead_until_; }
  [[nodiscard]] const Outcome& failure() const { return failure_; }  ///< the last, while dead
  [[nodiscard]] std::size_t couriers_max() const;
  /// There is nothing to remember.
  [[nodiscard]] bool at_rest(SteadyTime now) const;

  const std::string name;
  Limits limits;
  RateBound rate;
  io::Notify work;  ///< idle couriers wait here

  // --- the dispatcher's
  std::size_t couriers = 0;      ///< tasks
  std::size_t leaving = 0;       ///< of them, those that take no more mail
  bool more_work = false;        ///< something may be due that nobody could be sent for
  std::size_t paced = 0;         ///< couriers that wait for their rate, with a connection
  bool starved = false;          ///< waits for a place
  bool contends = false;         ///< has couriers or waits for a place
  io::Clock::TimerId timer = 0;  ///< held until then: nobody is sent

 private:
  Concurrency concurrency_;
  std::uint32_t epoch_ = 0;
  std::uint32_t deaths_ = 0;  // without an answer in between
  SteadyTime dead_until_;
  Outcome failure_;
};

}  // namespace postern::delivery
