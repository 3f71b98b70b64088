#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "delivery/outcome.h"
#include "delivery/route.h"
#include "dns/resolver.h"
#include "io/clock.h"
#include "io/entropy.h"
#include "io/task.h"

namespace postern::delivery {

/// Addresses to try, in this order; or why there are none.
struct Targets {
  std::vector<Target> targets;
  std::optional<Outcome> failure;  ///< set exactly when `targets` is empty
};

/// Finds the hosts of a destination. One shard; outlives its lookups.
class MxLookup {
 public:
  /// Hosts of one MX list that are looked up, and addresses that are tried in one attempt. RFC 5321
  /// section 5.1: at least two addresses; more than a few only make a dead destination slow.
  static constexpr std::size_t hosts_max = 10;
  static constexpr std::size_t targets_max = 6;

  struct Options {
    std::string hostname;  ///< ours
    std::uint16_t port = 25;
    RouteTable routes{};
    Duration lookup_timeout{};
  };
  MxLookup(dns::Resolver& resolver, io::Clock& clock, io::Entropy& entropy, Options options)
      : resolver_(resolver), clock_(clock), entropy_(entropy), options_(std::move(options)) {}

  /// For lookups that begin after this.
  void set_options(Options options) { options_ = std::move(options); }

  /// Of a queue's destination: a domain, an address literal, or next hops (route.h).
  io::Task<Targets> find(std::string destination);

 private:
  struct Hosts {
    std::vector<std::string> names;
    std::optional<Outcome> failure;
  };
  struct Addresses {
    std::vector<IpAddress> found;
    bool undetermined = false;
  };
  io::Task<Targets> of_next_hops(const std::vector<NextHop>& hops);
  io::Task<Targets> of_domain(const std::string& domain);
  io::Task<Hosts> mail_exchanges(const std::string& domain);
  Hosts usable_exchanges(const std::string& domain, std::vector<dns::Mx> list);
  io::Task<Addresses> addresses_of(const std::string& host);
  void shuffle_equal(std::vector<dns::Mx>& list);

  dns::Resolver& resolver_;
  io::Clock& clock_;
  io::Entropy& entropy_;
  Options options_;
};

}  // namespace postern::delivery
