#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "app/metric_snapshot.h"

namespace postern::app {

/// What `postern top` shows: what happened between two looks at a server. Rates are for each
/// second.
struct TopFigures {
  using Rates = std::map<std::string, double>;
  struct State {
    std::string name;
    double rate = 0;
    double total = 0;  ///< since the server's start
  };
  struct Latency {
    std::string name;
    std::uint64_t count = 0;
    std::optional<double> p50, p95, p99;  ///< seconds; nothing happened: nothing
  };
  struct Refused {
    std::string client;  ///< empty: of any
    std::string cause;
    std::uint64_t count = 0;
  };

  std::string hostname, version, mode;
  double uptime_seconds = 0;
  double interval_seconds = 0;
  bool ready = false;
  std::vector<std::string> troubles;
  double sessions = 0;
  double connections_rate = 0;
  double turned_away_rate = 0;
  Rates replies, recipients, messages, deliveries;
  double message_bytes_rate = 0;
  double reports_rate = 0;
  double lookups_rate = 0;
  double lookups_failed_rate = 0;
  std::optional<double> cache_share;  ///< of the clients whose address was to be checked
  std::vector<State> states;
  double queue_messages = 0, queue_oldest_seconds = 0, queue_under_way = 0, queue_held = 0;
  double dead_letters = 0;
  double free_bytes = 0;
  std::vector<Latency> latencies;
  double refusals_window_seconds = 0;
  std::vector<Refused> clients, causes;
};

/// From the server's replies to `status` and `metrics`, and the snapshot of an earlier reply.
TopFigures top_figures(const boost::json::object& status, const boost::json::object& metrics,
                       const MetricSnapshot& before, const MetricSnapshot& now);
boost::json::object top_json(const TopFigures& figures);

}  // namespace postern::app
