#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/metric_family.h"
#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "io/task.h"
#include "queue/administration.h"

namespace postern::admin {

/// Something that is not as it should be.
struct Trouble {
  enum class Weight : std::uint8_t {
    degraded,   ///< mail goes on, somebody should look
    not_ready,  ///< new mail is not taken
  };
  Weight weight = Weight::degraded;
  std::string what;  ///< with what to do
};

/// What `status` tells of the breaker of the unknown-IP check, in words where it is for people.
struct Breaker {
  struct Signal {
    std::string name;  ///< "temperror", "one_client", "refused"
    std::uint64_t bad = 0;
    std::uint64_t total = 0;
    std::uint64_t opens_at_percent = 0;  ///< 0: switched off
    std::uint64_t opens_at_count = 0;
    std::string figures;
  };
  bool enabled = false;
  std::string state;              ///< "closed", "open", "half_open"
  std::optional<WallTime> since;  ///< it opened, or closed again
  std::uint64_t opened = 0;       ///< how often, since the start
  bool learning = false;  ///< nobody had a confirmed name yet, so that nothing can be missed
  std::string opened_by;  ///< the signal's name; this and the next empty when closed
  std::string closes_when;
  std::string advice;
  std::vector<Signal> signals;
};

/// What `status` tells of a running server.
struct Status {
  std::string version;
  std::string hostname;
  std::vector<std::string> listening;
  WallTime started;
  std::string unknown_ip_mode;
  bool draining = false;
  std::uint64_t sessions = 0;
  queue::Queue::Counts queue;
  struct Ledger {
    bool enabled = false;
    std::string problem;        ///< why nothing is recorded now; empty: all is well
    std::uint64_t written = 0;  ///< since the start
    std::uint64_t dropped = 0;  ///< since the start
    std::uint64_t database_bytes = 0;
  };
  Ledger ledger;
  Breaker breaker;
  std::vector<Trouble> troubles;  ///< empty: all is well
};

/// Who was refused something in the last minutes, and why: the most frequent, bounded.
struct Refusals {
  struct Client {
    IpAddress client;
    std::string_view cause;  ///< a word of ours: "no_ptr", "denied", "busy"
    std::uint64_t count = 0;
  };
  struct Cause {
    std::string_view cause;
    std::uint64_t count = 0;
  };
  Duration window{};  ///< up to so long ago
  std::vector<Client> clients;
  std::vector<Cause> causes;
};

/// What an administrator may ask of a running server: the narrow interface by which the control
/// socket reaches it. Implemented by the server; called on its shard. The queue's commands do what
/// queue::Administration says of them.
class Commands {
 public:
  virtual ~Commands() = default;
  virtual Status status() = 0;
  /// Everything that is measured; the histograms in it are views that the next call of anything may
  /// change.
  virtual std::vector<MetricFamily> metrics() = 0;
  virtual Refusals refusals() = 0;
  virtual io::Task<Result<queue::Listed>> list(queue::Walk walk) = 0;
  virtual io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(
      queue::Box box, queue::MessageId id) = 0;
  virtual io::Task<Result<queue::ContentPart>> content(queue::Box box, queue::MessageId id,
                                                       std::uint64_t offset) = 0;
  virtual io::Task<Result<queue::Acted>> act(queue::Command command, queue::Walk walk) = 0;
  /// Removes with a report to the sender, who reads `reason` in it when it is not empty.
  virtual io::Task<Result<queue::Acted>> bounce(queue::Walk walk, std::string reason) = 0;
  /// As SIGHUP: reads the configuration again. Error: what is wrong with it; the old one stays.
  virtual Result<> reload() = 0;
};

}  // namespace postern::admin
