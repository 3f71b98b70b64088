#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ip.h"
#include "base/time.h"
#include "policy/breaker_samples.h"

namespace postern::policy {

/// What `unknown_ip.breaker` sets. A percentage of 0 switches its signal off.
struct BreakerOptions {
  bool enabled = true;
  /// How far back the signals look; further, up to Breaker::reach, while there are too few samples.
  Duration window = std::chrono::minutes(10);
  std::uint64_t temperror_percent = 50;
  std::uint64_t temperror_networks_min = 8;
  std::uint64_t one_client_percent = 90;
  std::uint64_t one_client_connections_min = 100;
  std::uint64_t refused_jump_percent = 50;
  std::uint64_t refused_networks_min = 8;
  Duration open_time = std::chrono::minutes(5);    ///< doubles while the trouble comes back
  Duration open_time_max = std::chrono::hours(1);  ///< so far
  Duration recovery_time = std::chrono::minutes(2);
  std::uint64_t recovery_networks_min = 3;
  bool operator==(const BreakerOptions&) const = default;
};

enum class BreakerState : std::uint8_t {
  closed,     ///< the check does what its mode says
  open,       ///< it only observes
  half_open,  ///< it still only observes, and looks whether the trouble is over
};
std::string_view breaker_state_name(BreakerState state);  ///< "closed", "open", "half_open"

enum class BreakerSignal : std::uint8_t {
  temperror,   ///< lookups get no answer
  one_client,  ///< a private or own address makes most connections: a proxy hides the clients
  refused,     ///< clients that had a confirmed name before have none now
};
std::string_view breaker_signal_name(BreakerSignal signal);  ///< "temperror", "one_client", ...
inline constexpr std::array<BreakerSignal, 3> breaker_signals{
    BreakerSignal::temperror, BreakerSignal::one_client, BreakerSignal::refused};

/// What one signal shows.
struct BreakerReading {
  BreakerSignal signal = BreakerSignal::temperror;
  std::uint64_t bad = 0;        ///< networks without answer, connections of the one address, ...
  std::uint64_t total = 0;      ///< of so many
  std::uint64_t opens_at = 0;   ///< percent; 0: the signal is off
  std::uint64_t closes_at = 0;  ///< percent
  std::uint64_t bad_min = 0;    ///< as many `bad` there must be to open
  std::uint64_t total_min = 0;  ///< as many samples there must be to close
  std::uint64_t average = 0;    ///< percent, in the long run; of `refused` only
  IpAddress client;             ///< of `one_client` only: the address

  [[nodiscard]] std::uint64_t percent() const;
  [[nodiscard]] bool opens() const;
  /// Enough samples say that all is well again.
  [[nodiscard]] bool healed() const;
};

/// The breaker opened, closed, or found in half_open that the trouble is still there.
struct BreakerChange {
  BreakerState from = BreakerState::closed;
  BreakerState to = BreakerState::closed;
  BreakerSignal signal = BreakerSignal::temperror;  ///< that opened it
  BreakerReading reading;                           ///< of that signal, now
  Duration open_for{};                              ///< since it opened
};

/// For people and metrics.
struct BreakerStatus {
  bool enabled = true;
  BreakerState state = BreakerState::closed;
  std::optional<Duration> since;  ///< it opened, or closed again; absent: it never opened
  BreakerSignal signal = BreakerSignal::temperror;  ///< that opened it; meaningless when closed
  std::optional<Duration> next;                     ///< until half_open, or until it may close
  std::array<BreakerReading, 3> readings;           ///< of each signal
  std::uint64_t opened = 0;                         ///< how often, since the start
  bool learning = false;  ///< nobody had a confirmed name yet, so that nothing can be missed
};

/// What the lookups of one client came to, as far as it tells of the resolver.
enum class LookupFound : std::uint8_t {
  confirmed,
  unconfirmed,        ///< with authority: no PTR record, no or other addresses
  no_reverse_answer,  ///< the PTR lookup itself got no answer
  no_forward_answer,  ///< the lookup of the PTR's names got none
};

/// Decides when the unknown-IP check must not be trusted: the resolver gives no answers or wrong
/// ones, or a proxy hides the clients. A machine without I/O: facts and time in, state out. What an
/// attacker could do to open it, and what that costs, is in docs/design/breaker.md.
///
/// Bounds: Span::samples_max samples of each signal, acquaintances_max addresses that it remembers;
/// each fact costs constant time. Never opens more often than once in open_time + recovery_time,
/// and while it opens again and again, once in open_time_max.
class Breaker {
 public:
  using Change = std::optional<BreakerChange>;

  explicit Breaker(const BreakerOptions& options) : options_(options) {}

  // Each call makes one change at most.

  /// Switched off, it is closed.
  Change set_options(SteadyTime now, const BreakerOptions& options);
  /// A client began a mail transaction (who only connects tells nothing: a load balancer does so
  /// every second).
  Change transaction(SteadyTime now, const IpAddress& client, Vantage vantage);
  /// A lookup ended; not for an answer from a cache of ours.
  Change lookup(SteadyTime now, const IpAddress& client, LookupFound found);
  /// Time passed.
  Change tick(SteadyTime now);

  [[nodiscard]] BreakerState state() const { return state_; }
  /// When tick() does something without any fact, if ever.
  [[nodiscard]] std::optional<SteadyTime> next_tick() const;
  [[nodiscard]] BreakerStatus status(SteadyTime now) const;

  static constexpr std::size_t acquaintances_max = 32'768;
  static constexpr Duration reach = std::chrono::hours(4);

 private:
  [[nodiscard]] BreakerReading reading(BreakerSignal signal) const;
  [[nodiscard]] Span span_of(BreakerSignal signal) const;
  void count_answer(SteadyTime now, const IpAddress& client, LookupFound found);
  void count_confirmation(SteadyTime now, const IpAddress& client, LookupFound found);
  void trim(SteadyTime now);
  void forget_samples();
  Change watch(SteadyTime now);
  Change probe(SteadyTime now);
  Change open(SteadyTime now, BreakerSignal signal);
  Change close(SteadyTime now);
  Change change_to(SteadyTime now, BreakerState to);

  BreakerOptions options_;
  BreakerState state_ = BreakerState::closed;
  BreakerSignal signal_ = BreakerSignal::temperror;
  SteadyTime opened_at_;
  std::optional<SteadyTime> closed_at_;
  SteadyTime until_;  // of open: half_open from then; of half_open: may close from then
  Duration hold_{};   // how long it stays open this time
  std::uint64_t opened_ = 0;

  RecentAddresses answered_{acquaintances_max};   // networks whose reverse zone answered
  RecentAddresses confirmed_{acquaintances_max};  // clients that had a confirmed name
  NetworkShare temperror_;
  NetworkShare refused_;
  BusiestClient clients_;
  double refused_average_ = 0;  // of the samples while it was closed
};

}  // namespace postern::policy
