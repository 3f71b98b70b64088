#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "delivery/outcome.h"
#include "delivery/surroundings.h"
#include "dsn/compose.h"
#include "queue/queue.h"

namespace postern::delivery {

/// When a share that is due, but not to be attempted, needs record() all the same: for a
/// notice of delay, or the end of its lifetime.
WallTime owes_from(const queue::ShareFacts& share, const Limits& limits);

/// What the attempts of one lease came to: one outcome for each of its recipients, in order.
struct Attempted {
  std::vector<Outcome> outcomes;
  /// Set when nothing was tried because the destination is known to be dead: due again then.
  std::optional<WallTime> not_before;
};

/// Writes what happened: one log line for each recipient, the report that is owed, and both with
/// the queue's change in one commit. The lease ends.
///
/// Who failed for good is told of in a report, or asked for silence (NOTIFY=NEVER), or had the null
/// reverse path: then the recipient is `dead`, and the queue keeps the message as a dead letter.
/// With DoubleBounce::postmaster a report to the postmaster takes its place; one that fails itself
/// is a dead letter.
///
/// Who still waits after `delay_notice` is told of, once, in a report that is committed together
/// with the mark that it was. The next attempt is due then at the latest, whatever the retry list
/// says: a notice that waits for a list of days would come too late to be of use, and that one more
/// attempt may spare it. Where nothing is attempted, since the destination is dead, it is told all
/// the same.
class Recorder {
 public:
  explicit Recorder(Surroundings& around) : around_(around) {}
  io::Task<> record(queue::Lease lease, Attempted attempted);

 private:
  struct Decision {
    queue::RecipientOutcome outcome;
    std::optional<dsn::RecipientResult> report;
  };
  Decision decide(const queue::Lease& lease, std::uint32_t recipient, Outcome outcome,
                  const std::optional<WallTime>& not_before);
  [[nodiscard]] queue::RecipientState state_after(const queue::QueuedMessage& message,
                                                  const queue::QueuedRecipient& queued,
                                                  const Outcome& outcome) const;
  [[nodiscard]] bool tells_postmaster(const queue::QueuedMessage& message,
                                      const queue::QueuedRecipient& queued) const;
  [[nodiscard]] std::optional<dsn::Action> action_told(const queue::QueuedMessage& message,
                                                       const queue::QueuedRecipient& queued,
                                                       const Outcome& outcome,
                                                       queue::RecipientState state) const;
  void count(const queue::QueuedMessage& message, queue::RecipientState state);
  void log(const queue::Lease& lease, const Decision& decision, const Outcome& outcome);
  io::Task<queue::NewMessage> report(const queue::Lease& lease,
                                     std::vector<dsn::RecipientResult> results);
  io::Task<std::string> beginning(const queue::Lease& lease, std::uint64_t bytes_max);

  Surroundings& around_;
};

}  // namespace postern::delivery
