#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "smtp/client_machine.h"

namespace postern::delivery {

/// A host that the operator names. A name is looked up for its addresses, never for its MX.
struct NextHop {
  smtp::ClientProtocol protocol = smtp::ClientProtocol::smtp;
  std::string host;  ///< a name, or an address without brackets
  std::uint16_t port = 25;

  /// "smtp://192.0.2.1:25", "lmtp://[2001:db8::1]:24"; parse_next_hop() reads it.
  [[nodiscard]] std::string text() const;
  bool operator==(const NextHop&) const = default;
};

/// What a route sets for its destination; what is absent is as for every other.
struct RouteLimits {
  std::optional<std::size_t> connections_max;
  std::optional<std::uint32_t> messages_per_connection_max;
  std::optional<std::uint32_t> messages_per_minute_max;
  std::vector<Duration> retry;  ///< empty: absent
  std::optional<Duration> lifetime;
  bool operator==(const RouteLimits&) const = default;
};

/// Where mail for some domains goes instead of to its MX.
struct Route {
  /// "example.com"; ".example.com": every name below it, not itself; "*": whatever has no other.
  std::string domain;
  std::vector<NextHop> next_hops;  ///< in the order of preference; not empty
  RouteLimits limits = {};
  bool operator==(const Route&) const = default;
};

/// "smtp://host:port" or "lmtp://host:port"; the port defaults to 25 and 24. Error:
/// Blame::operator_, says what is wrong and what is wanted.
Result<NextHop> parse_next_hop(std::string_view text);
/// The same for a whole route.
Result<Route> parse_route(std::string_view domain, const std::vector<std::string>& next_hops);

/// The static routes. Immutable.
class RouteTable {
 public:
  RouteTable() = default;
  /// Of two routes for the same domain the first counts; of two with the same next hops, which make
  /// one destination, the limits of the first.
  explicit RouteTable(const std::vector<Route>& routes);

  /// The route of a lower-case domain, the most specific one; nullptr: by MX.
  [[nodiscard]] const Route* find(std::string_view domain) const;

  /// For queue::QueueOptions::destination_of: what shares connections and back-off. Domains with
  /// the same next hops are one destination, named by them ("smtp://192.0.2.1:25,lmtp://..."); any
  /// other domain is its own.
  [[nodiscard]] std::string destination_of(std::string_view domain) const;

  /// What is set for a destination, also for one that is a domain because its mail was queued
  /// before there was a route. nullptr: nothing.
  [[nodiscard]] const RouteLimits* limits_of(std::string_view destination) const;

 private:
  std::map<std::string, Route, std::less<>> routes_;
  std::map<std::string, RouteLimits, std::less<>> limits_;  // by destination
};

/// The next hops that a destination's name spells; empty when it is a domain. The name alone says
/// it, so that mail queued before a change of routes still has a way.
std::vector<NextHop> next_hops_of(std::string_view destination);

}  // namespace postern::delivery
