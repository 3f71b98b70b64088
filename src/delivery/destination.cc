#include "delivery/destination.h"

#include <algorithm>
#include <cmath>

namespace postern::delivery {
namespace {

constexpr double seconds_per_minute = 60;
// Of sums of fractions that should give a whole.
constexpr double rounding = 1e-9;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Concurrency::succeeded(std::size_t in_use, std::size_t window_max) {
  failed_cohorts_ = 0;
  // What is not used is not known to be borne.
  if (window_ < in_use + initial) ++window_;
  window_ = std::max<std::size_t>(1, std::min(window_, window_max));
}

bool Concurrency::failed() {
  failed_cohorts_ += 1.0 / static_cast<double>(window_);
  if (window_ > 1) --window_;
  if (failed_cohorts_ < 1 - rounding) return false;
  *this = {};
  return true;
}

double RateBound::capacity() const {
  return std::max(1.0, per_minute_max_ / seconds_per_minute);
}

double RateBound::tokens_at(SteadyTime now) const {
  const double come = seconds(now - as_of_) * per_minute_max_ / seconds_per_minute;
  return capacity() - std::max(0.0, taken_ - come);
}

bool RateBound::take(SteadyTime now) {
  if (per_minute_max_ == 0) return true;
  const double tokens = tokens_at(now);
  if (tokens < 1 - rounding) return false;
  taken_ = capacity() - tokens + 1;
  as_of_ = now;
  return true;
}

void RateBound::put_back() {
  taken_ = std::max(0.0, taken_ - 1);
}

SteadyTime RateBound::next(SteadyTime now) const {
  if (per_minute_max_ == 0) return now;
  const double lacking = std::max(0.0, 1 - tokens_at(now));
  const double wait = std::ceil(lacking * seconds_per_minute * 1000 / per_minute_max_);
  return now + std::chrono::milliseconds(static_cast<std::int64_t>(wait));
}

bool RateBound::at_rest(SteadyTime now) const {
  return per_minute_max_ == 0 || tokens_at(now) >= capacity() - rounding;
}

Destination::Destination(std::string destination, Limits the_limits, io::Clock& clock)
    : name(std::move(destination)), work(clock) {
  set_limits(std::move(the_limits));
}

void Destination::set_limits(Limits the_limits) {
  limits = std::move(the_limits);
  rate.set(limits.messages_per_minute_max);
}

void Destination::answered() {
  deaths_ = 0;
  concurrency_.succeeded(couriers, limits.connections_max);
}

bool Destination::failed(const Outcome& outcome, std::uint32_t epoch, SteadyTime now) {
  // Several couriers meet the same end: it counts once.
  if (epoch != epoch_ || dead(now)) return false;
  const bool was_probe = deaths_ > 0;
  if (!concurrency_.failed() && !was_probe) return false;
  failure_ = outcome;
  // A tenth less than the pause of the message that met it, so that this message is tried again
  // when it is due, however the two clocks drift.
  const Duration pause = retry_delay(limits, deaths_);
  dead_until_ = now + pause - pause / 10;
  ++deaths_;
  concurrency_ = {};
  return true;
}

void Destination::forgive() {
  ++epoch_;
  deaths_ = 0;
  concurrency_ = {};
}

std::size_t Destination::couriers_max() const {
  // One is enough to find out whether a dead destination lives again.
  if (deaths_ > 0) return 1;
  return std::min(concurrency_.window(), limits.connections_max);
}

bool Destination::at_rest(SteadyTime now) const {
  return couriers == 0 && !starved && timer == 0 && deaths_ == 0 && !concurrency_.troubled() &&
         rate.at_rest(now);
}

}  // namespace postern::delivery
