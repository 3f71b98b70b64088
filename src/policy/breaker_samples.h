#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>

#include "base/ip.h"
#include "base/time.h"

namespace postern::policy {

/// Where a connection came from, as far as it tells of a proxy that hides the clients.
enum class Vantage : std::uint8_t {
  outside,
  inside,  ///< a private or loopback address, or our own
};

/// Bounded set of addresses, those seen last.
class RecentAddresses {
 public:
  explicit RecentAddresses(std::size_t entries_max) : entries_max_(entries_max) {}
  void add(const IpAddress& address);
  [[nodiscard]] bool contains(const IpAddress& address) const { return places_.contains(address); }
  [[nodiscard]] bool empty() const { return order_.empty(); }

 private:
  std::size_t entries_max_;
  std::list<IpAddress> order_;  // the newest last
  std::unordered_map<IpAddress, std::list<IpAddress>::iterator> places_;
};

/// How far back samples count: all of `window`, and older ones up to `reach` while there are fewer
/// than `count_min`; never more than `samples_max`.
struct Span {
  Duration window{};
  Duration reach{};
  std::size_t count_min = 0;
  std::size_t samples_max = 4096;
};

/// The share of networks whose latest sample was bad: one network, one voice.
class NetworkShare {
 public:
  void add(SteadyTime now, const IpAddress& network, bool bad, const Span& span);
  void trim(SteadyTime now, const Span& span);
  void clear();
  [[nodiscard]] std::uint64_t bad() const { return bad_; }
  [[nodiscard]] std::uint64_t total() const { return samples_.size(); }

 private:
  struct Sample {
    IpAddress network;
    bool bad = false;
    SteadyTime at;
  };
  void drop(std::list<Sample>::iterator sample);

  std::list<Sample> samples_;  // the newest last
  std::unordered_map<IpAddress, std::list<Sample>::iterator> places_;
  std::uint64_t bad_ = 0;
};

/// The share of connections that the busiest inside address makes.
class BusiestClient {
 public:
  void add(SteadyTime now, const IpAddress& client, Vantage vantage, const Span& span);
  void trim(SteadyTime now, const Span& span);
  void clear();
  [[nodiscard]] const IpAddress& client() const { return busiest_; }
  [[nodiscard]] std::uint64_t connections() const;  ///< its
  [[nodiscard]] std::uint64_t total() const { return samples_.size(); }

 private:
  struct Sample {
    std::optional<IpAddress> inside;
    SteadyTime at;
  };
  std::deque<Sample> samples_;
  std::unordered_map<IpAddress, std::uint64_t> counts_;  // of inside addresses
  IpAddress busiest_;
};

}  // namespace postern::policy
